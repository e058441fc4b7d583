import { expect, test } from "vitest";
import type { Device } from "./kit/device.ts";
import { Publisher } from "./kit/publisher.ts";
import { verdictAtRest } from "./kit/rest.ts";
import { until } from "./kit/until.ts";
import { numbered, range, World } from "./kit/world.ts";

// What is lost for good is told: once for each connect, after everything that is left.

/** What happened in the page, in order: verdicts, the numbers of events, hub.live, gaps told. */
async function story(device: Device): Promise<unknown[]> {
  const { entries } = await device.record();
  return entries.flatMap((entry): unknown[] => {
    if (entry.kind === "event") return [(entry.payload as { n: number }).n];
    if (entry.kind === "gap") return [`gap ${entry.reason}`];
    if (entry.kind !== "frame") return [];
    if (entry.frame.type === "hub.live") return ["live"];
    return entry.frame.type === "hub.hello" ? [(entry.frame.payload as { verdict: string }).verdict] : [];
  });
}

test.each(["SIGTERM", "SIGKILL"] as const)("a restart (%s) is a gap, told after hub.live", async (signal) => {
  const world = await World.open();
  const { server, user } = world;
  const device = await world.device();
  await device.live();
  const publisher = new Publisher(server, user);
  await publisher.burst(3);
  await device.hears(3);
  const before = await device.cursor();

  await server.stop(signal);
  const lost = await device.until((s) => s.phase === "reconnecting", "the loss");
  if (signal === "SIGTERM") {
    expect(lost).toMatchObject({ code: 1012, reason: "restarting; spreadMs=1000" });
    expect((lost.retryAt ?? 0) - Date.now()).toBeLessThanOrEqual(1_000);
  } else expect(lost).toMatchObject({ code: 1006, reason: "lost" });
  await server.start();
  await device.live();
  await publisher.burst(2);
  await device.hears(5);

  expect(await story(device)).toEqual(["fresh", "live", 0, 1, 2, "gap", "live", "gap restarted", 3, 4]);
  const [attempt] = await server.journal("attempt");
  expect(attempt).toMatchObject({ epoch: before?.epoch, lastEventTs: before?.lastEventTs });
  expect((await device.cursor())?.epoch).not.toBe(before?.epoch);
  expect(await verdictAtRest(world, device, publisher)).toEqual([]);
});

test("more than the hub keeps is a gap; what it still has comes before it is told", async () => {
  const world = await World.open("-buffer-size", "10");
  const { network, server, user } = world;
  const device = await world.device();
  await device.live();
  const publisher = new Publisher(server, user);
  await publisher.burst(2);
  await device.hears(2);
  network.refusing = true;
  network.cut();
  await publisher.burst(15);
  network.refusing = false;
  await device.hears(12);
  await device.live();
  const kept = range(7, 17);
  expect(await story(device)).toEqual(["fresh", "live", 0, 1, "gap", ...kept, "live", "gap evicted"]);
  expect(await verdictAtRest(world, device, publisher, 10)).toEqual([]);
});

test("away for longer than the hub keeps is a gap; away within it, with nothing lost, is none", async () => {
  const world = await World.open("-buffer-ttl", "1s");
  const { network, server, user } = world;
  const device = await world.device();
  await device.live();
  const publisher = new Publisher(server, user);
  await publisher.burst(1);
  await device.hears(1);
  const empty = () =>
    until(
      () => server.stats(),
      (stats) => stats.BufferedEvents === 0,
      "the hub to forget",
    );
  // What it forgets, this device has seen.
  await empty();
  network.cut();
  await device.until((s) => s.phase !== "connected", "the loss");
  await device.live();

  network.refusing = true;
  network.cut();
  await publisher.burst(1);
  await empty();
  network.refusing = false;
  await device.until((s) => s.phase !== "connected", "the loss");
  await device.live();
  expect(await story(device)).toEqual(["fresh", "live", 0, "resumed", "live", "gap", "live", "gap expired"]);
  expect(await verdictAtRest(world, device, publisher, 0)).toEqual([]);
});

test("a gap is told once, wherever the connection that tells it is cut", async () => {
  const world = await World.open("-buffer-size", "5");
  const { network, server, user } = world;
  const device = await world.device({ backoff: { minMs: 10, maxMs: 30 } });
  await device.live();
  const publisher = new Publisher(server, user);
  const latest = (key: string) => device.page.evaluate((k) => window.e2e.client?.latest("JOB_PROGRESS", k), key);
  // From the answer to the handshake to the last of the events that are left.
  const cuts = range(4, 34).map((i) => 30 * i);
  for (const [i, cutAfter] of cuts.entries()) {
    const key = `job:${cutAfter}`;
    await publisher.publish({ class: "latest", key });
    await until(
      () => latest(key),
      (value) => value !== undefined,
      `the value of ${key}`,
    );
    network.refusing = true;
    network.cut();
    await publisher.publish({ key }); // its end, which falls into the gap
    await publisher.burst(6);
    network.plan({ cutAfter });
    network.refusing = false;
    await until(
      () => network.broken,
      (broken) => broken === 2 * (i + 1),
      `the cut after ${cutAfter} bytes`,
    );
    await until(
      () => device.gaps(),
      (gaps) => gaps.length === i + 1,
      `gap ${i + 1}`,
    );
    await device.live();
    expect(await latest(key)).toBeUndefined();
  }
  expect(await verdictAtRest(world, device, publisher, 5)).toEqual([]);
  expect(new Set(await device.gaps())).toEqual(new Set(["evicted"]));
  // Some of the cuts fell between the verdict and the rest.
  const hellos = (await device.entries("frame")).filter(({ frame }) => frame.type === "hub.hello");
  expect(hellos.length).toBeGreaterThan(cuts.length + 5);
});

test("a connection that is too slow is told on the spot, and not closed", async () => {
  const flags = ["-buffer-size", "20", "-write-buffer", "16384", "-write-timeout", "4900ms"];
  const world = await World.open(...flags);
  const { network, server, user } = world;
  const device = await world.device();
  await device.live();
  const publisher = new Publisher(server, user);
  // Far more than the ring holds, and what lies between the hub and a network that stands still.
  network.stall();
  await publisher.burst(150, { pad: 16 << 10 });
  network.flow();
  expect(await verdictAtRest(world, device, publisher, 20)).toEqual([]);
  expect(new Set(await device.gaps())).toEqual(new Set(["lagged"]));
  expect((await device.numbers()).slice(-20)).toEqual(range(130, 150));
  expect((await device.numbers()).length).toBeLessThan(150);
  expect(await device.sockets()).toBe(1);
});

test("a cursor that is nonsense is a gap, and the page goes on", async () => {
  const world = await World.open();
  const device = await world.device({ initialCursor: { epoch: "nonsense", lastEventTs: "yesterday" } });
  await device.live();
  await world.server.publish(world.user, numbered(1));
  await device.hears(1);
  expect(await story(device)).toEqual(["gap", "live", "gap unknown_cursor", 0]);
});
