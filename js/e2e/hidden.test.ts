import { createServer } from "node:net";
import { type BrowserContext, chromium } from "playwright-core";
import { expect, onTestFinished, test } from "vitest";
import { Publisher } from "./kit/publisher.ts";
import { verdictAtRest } from "./kit/rest.ts";
import { until } from "./kit/until.ts";
import { launch, range, World } from "./kit/world.ts";

// Pages that nobody looks at.

/** A port that was free a moment ago. */
function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const { port } = server.address() as { port: number };
      server.close(() => resolve(port));
    });
  });
}

/**
 * A browser whose background tabs are hidden and throttled as a user's are. Playwright
 * makes every page believe that it is seen and has the focus, and switches throttling off:
 * so this browser is asked over a connection that overrides nothing. Its one difference
 * from a user's: timers are held back to one wake-up a minute after seconds in the
 * background and not after five minutes.
 */
async function plainBrowser(): Promise<BrowserContext> {
  const port = await freePort();
  const process = await launch(
    [`--remote-debugging-port=${port}`, "--enable-features=IntensiveWakeUpThrottling:grace_period_seconds/2"],
    [
      "--disable-background-timer-throttling",
      "--disable-backgrounding-occluded-windows",
      "--disable-renderer-backgrounding",
    ],
  );
  onTestFinished(() => process.close());
  const browser = await chromium.connectOverCDP(`http://127.0.0.1:${port}`, { noDefaults: true });
  return browser.contexts()[0] as BrowserContext; // only the one that was there is left as it is
}

test("a hidden tab, its timers held to one a minute, keeps a healthy socket; a mute one is replaced when it is seen again", {
  timeout: 150_000,
}, async () => {
  const world = await World.open("-ping-interval", "1s", "-pong-timeout", "5m");
  const { server, network, user } = world;
  const context = await plainBrowser();
  const device = await world.page({ context });
  // Counts the longest that a timer of one second took.
  await device.page.evaluate(() => {
    let last = Date.now();
    window.slowest = 0;
    setInterval(() => {
      window.slowest = Math.max(window.slowest, Date.now() - last);
      last = Date.now();
    }, 1_000);
  });
  await device.start(world.start());
  await device.live();
  const other = await context.newPage();
  await other.bringToFront();
  expect(await device.page.evaluate(() => document.visibilityState)).toBe("hidden");

  const publisher = new Publisher(server, user);
  await until(
    async () => {
      await publisher.burst(1);
      await device.hears(publisher.published.length); // frames are not throttled
      return device.page.evaluate(() => window.slowest);
    },
    (slowest) => slowest > 8_000,
    "a timer that was held back",
    120_000,
  );
  expect(await device.sockets()).toBe(1);

  network.mute();
  await publisher.burst(5);
  await device.page.bringToFront();
  expect(await device.page.evaluate(() => document.visibilityState)).toBe("visible");
  await device.hears(publisher.published.length); // which waits for less than a timer that is held back
  expect(await device.sockets()).toBe(2);
  expect(await verdictAtRest(world, device, publisher)).toEqual([]);
});

test("a hidden tab whose connection is cut comes back while it is hidden", async () => {
  const world = await World.open();
  const context = await plainBrowser();
  const device = await world.page({ context });
  await device.start(world.start());
  await device.live();
  await (await context.newPage()).bringToFront();
  expect(await device.page.evaluate(() => document.visibilityState)).toBe("hidden");
  const publisher = new Publisher(world.server, world.user);
  world.network.cut();
  await publisher.burst(5);
  await device.hears(5);
  expect(await device.page.evaluate(() => document.visibilityState)).toBe("hidden");
  expect(await verdictAtRest(world, device, publisher)).toEqual([]);
});

// What Chromium does to background tabs that are to cost nothing, asked for by its
// debugger: no task of the page runs. What becomes of its socket is the browser's business;
// this one closes it when the page goes on.
test("a frozen tab misses nothing", async () => {
  const world = await World.open();
  const { server, user } = world;
  const context = await plainBrowser();
  const device = await world.page({ context });
  await device.start(world.start());
  await device.live();
  await (await context.newPage()).bringToFront();
  await device.page.evaluate(() => {
    document.addEventListener("freeze", () => {
      window.slowest = 0;
    });
    setInterval(() => window.slowest++, 10);
  });
  const publisher = new Publisher(server, user);
  await publisher.burst(2);
  await device.hears(2);
  const session = await device.cdp();
  await session.send("Page.setWebLifecycleState", { state: "frozen" });
  await publisher.burst(50);
  expect(await device.numbers()).toEqual([0, 1]);
  expect(await device.page.evaluate(() => window.slowest)).toBe(0); // no timer runs

  await session.send("Page.setWebLifecycleState", { state: "active" });
  await device.page.bringToFront();
  await device.hears(52);
  expect(await device.numbers()).toEqual(range(0, 52));
  expect(await verdictAtRest(world, device, publisher)).toEqual([]);
  expect(await device.gaps()).toEqual([]);
});
