import { expect, onTestFinished, test } from "vitest";
import { Publisher } from "./kit/publisher.ts";
import { verdictAtRest } from "./kit/rest.ts";
import { until } from "./kit/until.ts";
import { launch, range, World } from "./kit/world.ts";

// A laptop's sleep: every process of the browser stands still and knows nothing of it.
test.each([
  ["the hub has closed meanwhile", ["-ping-interval", "1s", "-pong-timeout", "1s"]],
  ["is dead, which nobody has noticed", ["-ping-interval", "1s", "-pong-timeout", "5m"]],
])("a browser that slept wakes up to a socket that %s", async (what, flags) => {
  const world = await World.open(...flags);
  const { server, network, user } = world;
  const browser = await launch();
  onTestFinished(() => browser.close());
  const device = await world.page({ context: await browser.newContext() });
  await device.start(world.start());
  await device.live();
  const publisher = new Publisher(server, user);
  await publisher.burst(2);
  await device.hears(2);

  const { processInfo } = await (await browser.newBrowserCDPSession()).send("SystemInfo.getProcessInfo");
  const signal = (name: "SIGSTOP" | "SIGCONT") => {
    for (const { id } of processInfo) process.kill(id, name);
  };
  onTestFinished(() => signal("SIGCONT")); // before it is closed: what stands still does not end
  const asleep = Date.now();
  signal("SIGSTOP");
  const noticed = what.startsWith("the hub");
  // Before the burst: what the system has received meanwhile is news of a socket that lives.
  if (!noticed) network.mute();
  await publisher.burst(50);
  if (noticed) await server.connected(user, 0);
  else {
    // Longer than the silence that a client allows: the heartbeat and 5 s.
    await until(
      () => Date.now() - asleep,
      (ms) => ms > 7_000,
      "a night",
    );
  }
  signal("SIGCONT");
  await device.hears(52);
  expect(await device.numbers()).toEqual(range(0, 52));
  expect(await device.sockets()).toBe(2);
  expect(await verdictAtRest(world, device, publisher)).toEqual([]);
});
