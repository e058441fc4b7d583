import type { BrowserContext } from "playwright-core";
import { expect, test } from "vitest";
import type { Device } from "./kit/device.ts";
import { seeded } from "./kit/random.ts";
import { until } from "./kit/until.ts";
import { numbered, range, World } from "./kit/world.ts";

// One socket for all tabs of a user in one browser, whoever goes.

async function tab(world: World, context?: BrowserContext): Promise<Device> {
  const device = await world.page(context && { context });
  await device.start(world.start({ share: world.user }));
  await device.live();
  return device;
}

/** The numbers heard in several lives of tabs, in the order of the numbers: each exactly once a tab. */
const heardAll = (device: Device, to: number) =>
  until(
    () => device.numbers(),
    (numbers) => numbers.at(-1) === to - 1,
    `event ${to - 1}`,
  );

test("two tabs have one socket, and both hear everything once", async () => {
  const world = await World.open();
  const { server, user, network } = world;
  const [first, second] = [await tab(world), await tab(world)];
  await server.publish(user, numbered(100));
  expect(await heardAll(first, 100)).toEqual(range(0, 100));
  expect(await heardAll(second, 100)).toEqual(range(0, 100));
  expect(network.accepted).toBe(1);
  expect(await server.connections(user)).toBe(1);
  expect((await first.sockets()) + (await second.sockets())).toBe(1);
  expect(await second.cursor()).toEqual(await server.cursor(user));

  // Another profile is another browser: it shares nothing.
  const context = await (await first.page.context().browser())?.newContext();
  try {
    await tab(world, context);
    expect(await server.connections(user)).toBe(2);
  } finally {
    await context?.close();
  }
});

test.each(["is closed", "crashes", "disconnects"] as const)(
  "the leading tab %s: the other takes over, nothing is lost or doubled",
  async (how) => {
    const world = await World.open();
    const { server, user, network } = world;
    const [leader, follower] = [await tab(world), await tab(world)];
    await server.publish(user, numbered(10));
    await Promise.all([heardAll(leader, 10), heardAll(follower, 10)]);

    // In the middle of a burst.
    const burst = (async () => {
      for (const i of range(0, 20)) await server.publish(user, numbered(5, 10 + 5 * i));
    })();
    if (how === "is closed") await leader.page.close();
    else if (how === "disconnects") await leader.call("close");
    else {
      const session = await leader.cdp();
      session.send("Page.crash").catch(() => {}); // the answer does not come
    }
    await burst;
    expect(await heardAll(follower, 110)).toEqual(range(0, 110));
    await follower.live();
    await server.connected(user, 1);
    expect(await follower.gaps()).toEqual([]);
    expect(await follower.errors()).toEqual([]);
    expect(network.accepted).toBe(2);
    const verdicts = (await server.journal("connect")).map(({ verdict }) => verdict);
    expect(verdicts).toEqual(["fresh", "resumed"]);
  },
);

test("a connection that is cut comes back once, for all tabs", async () => {
  const world = await World.open();
  const { server, user, network } = world;
  const tabs = [await tab(world), await tab(world), await tab(world)];
  await server.publish(user, numbered(3));
  for (const device of tabs) await heardAll(device, 3);
  network.refusing = true;
  network.cut();
  await server.publish(user, numbered(5, 3));
  for (const device of tabs) await device.until((s) => s.phase === "reconnecting" && s.stale, "the loss");
  network.refusing = false;
  for (const device of tabs) {
    expect(await heardAll(device, 8)).toEqual(range(0, 8));
    await device.live();
    expect(await device.gaps()).toEqual([]);
  }
  expect(await server.connections(user)).toBe(1);
});

test("a tab that is behind all that the leading tab remembers: the socket resumes for it, and nobody hears twice", async () => {
  const world = await World.open();
  const { server, user, network } = world;
  const initialCursor = await server.cursor(user);
  await server.publish(user, numbered(10));
  const leader = await tab(world);
  await server.publish(user, numbered(10, 10));
  expect(await heardAll(leader, 20)).toEqual(range(10, 20));

  const late = await world.page();
  await late.start(world.start({ share: user, initialCursor }));
  expect(await heardAll(late, 20)).toEqual(range(0, 20));
  await Promise.all([leader.live(), late.live()]);
  await server.publish(user, numbered(1, 20));
  expect(await heardAll(late, 21)).toEqual(range(0, 21));
  expect(await heardAll(leader, 21)).toEqual(range(10, 21));
  expect([...(await leader.gaps()), ...(await late.gaps())]).toEqual([]);
  expect(await server.connections(user)).toBe(1);
  expect(network.accepted).toBe(2);
});

test("a gap is told in every tab, and 4403 closes all", async () => {
  const world = await World.open();
  const { server, user } = world;
  const tabs = [await tab(world), await tab(world)];
  await server.publish(user, numbered(2));
  for (const device of tabs) await heardAll(device, 2);
  await server.restart("SIGKILL");
  for (const device of tabs)
    await until(
      () => device.gaps(),
      (gaps) => gaps.length > 0,
      "the gap",
    );
  for (const device of tabs) {
    await device.live();
    expect(await device.gaps()).toEqual(["restarted"]);
  }
  expect(await server.disconnect(user, "out")).toBe(1);
  for (const device of tabs)
    expect(await device.until((s) => s.phase === "closed", "the end")).toMatchObject({ code: 4403 });
});

const seeds = (process.env.E2E_SEEDS ?? "7,8").split(",").map(Number);

test.each(seeds)(
  "tabs come and go at random, with cuts between: each hears an unbroken run, once (seed %i)",
  async (seed) => {
    const world = await World.open();
    const { server, user, network } = world;
    const random = seeded(seed);
    const open: Device[] = [await tab(world)];
    let published = 0;
    for (const _ of range(0, 25)) {
      const count = random.int(1, 15);
      await server.publish(user, numbered(count, published));
      published += count;
      switch (random.int(0, 5)) {
        case 0:
        case 1:
          if (open.length < 4) open.push(await tab(world));
          break;
        case 2:
          if (open.length > 1)
            await open.splice(random.chance(0.6) ? 0 : random.int(0, open.length - 1), 1)[0]?.page.close();
          break;
        case 3:
          network.cut();
          break;
        case 4:
          network.plan({ cutAfter: random.int(1, 1500) });
          network.cut();
      }
    }
    // None of them may have heard the last one before it was published.
    await server.publish(user, numbered(1, published));
    for (const device of open) {
      const numbers = await heardAll(device, published + 1);
      expect(numbers).toEqual(range(numbers[0] ?? 0, published + 1));
      expect(await device.gaps()).toEqual([]);
      expect(await device.errors()).toEqual([]);
      await device.live();
    }
    await server.connected(user, 1);
  },
);
