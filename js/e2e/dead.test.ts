import { expect, test } from "vitest";
import type { Device } from "./kit/device.ts";
import { Publisher } from "./kit/publisher.ts";
import { verdictAtRest } from "./kit/rest.ts";
import { until } from "./kit/until.ts";
import { numbered, range, World } from "./kit/world.ts";

// Sockets that are open and dead, and sockets that only look it. The hub is given time
// enough never to find them first.
const flags = ["-ping-interval", "1s", "-pong-timeout", "5m"];

/** The reasons that the client gave for losing connections, in order and once each. */
async function losses(device: Device): Promise<string[]> {
  const reasons = (await device.entries("state")).map(({ state }) => state.reason ?? "");
  return reasons.filter((reason, i) => reason && reason !== reasons[i - 1]);
}

test("a socket that is open but mute is found by its silence, and replaced", async () => {
  const world = await World.open(...flags);
  const { network, server, user } = world;
  const device = await world.device();
  await device.live();
  const publisher = new Publisher(server, user);
  await publisher.burst(2);
  await device.hears(2);

  network.mute();
  const muted = Date.now();
  await publisher.burst(3);
  await until(
    () => device.sockets(),
    (n) => n === 2,
    "another socket",
  );
  // The announced heartbeat, 5 s of slack and 3 s for the probe: 8.8 s in all.
  expect(Date.now() - muted).toBeGreaterThan(7_500);
  await device.hears(5);
  expect(await device.numbers()).toEqual(range(0, 5));
  expect(await losses(device)).toEqual(["unanswered"]);
  expect(await verdictAtRest(world, device, publisher)).toEqual([]);
  // The hub has seen no close: to it the old one lives until a ping goes unanswered.
  expect(await server.connections(user)).toBe(2);
});

test("a wake-up asks the socket: a healthy one stays, a mute one is replaced within seconds", async () => {
  const world = await World.open("-ping-interval", "1h", "-pong-timeout", "1h"); // 50 minutes of silence are right
  const { network, server, user } = world;
  const device = await world.device({ backoff: { minMs: 600_000, maxMs: 600_000 } });
  await device.live();
  const wake = () => device.page.evaluate(() => window.dispatchEvent(new Event("online")));
  const answered = (count: number) =>
    until(
      () => device.page.evaluate(() => window.e2e.record.pings),
      (pings) => pings.sent >= count && pings.answered === pings.sent,
      `${count} probes or more, all answered`,
    );

  await wake();
  await answered(1);
  // The shortest of losses: what is asked for meanwhile is answered when it is over.
  const context = await world.context();
  await context.setOffline(true);
  await context.setOffline(false);
  await answered(2);
  expect(await device.sockets()).toBe(1);

  network.mute();
  const muted = Date.now();
  await server.publish(user, numbered(3));
  await wake();
  await device.hears(3);
  expect(Date.now() - muted).toBeGreaterThan(2_500);
  expect(await device.sockets()).toBe(2);
  expect(await losses(device)).toEqual(["unanswered"]);
});

// In this Chromium an open socket stays open while the browser is offline, and nothing
// passes through it; new ones fail.
test("offline, the socket is found dead; back online, the next attempt does not wait for the backoff", async () => {
  const world = await World.open();
  const { network, server, user } = world;
  const device = await world.device({ backoff: { minMs: 600_000, maxMs: 600_000 } });
  await device.live();
  const context = await world.context();
  await context.setOffline(true);
  expect((await device.state()).phase).toBe("connected"); // no verdict before the probe's
  await server.publish(user, numbered(2));
  await device.until((s) => s.phase === "reconnecting" && s.retryAt !== null, "an attempt that failed");
  expect(await losses(device)).toEqual(["unanswered", "lost"]);
  expect(network.accepted).toBe(1);

  await context.setOffline(false);
  await device.hears(2);
  expect(await device.numbers()).toEqual([0, 1]);
  expect(await device.gaps()).toEqual([]);
  expect(network.accepted).toBe(2);
});

test("quiet is not dead: with heartbeats, one socket lasts", async () => {
  const world = await World.open(...flags);
  const device = await world.device();
  await device.live();
  // More than ten seconds of them: a silent socket would have been replaced by then.
  const heartbeats = async () =>
    (await device.entries("frame")).filter(({ frame }) => frame.type === "hub.heartbeat").length;
  await until(heartbeats, (n) => n >= 12, "heartbeats");
  expect(await device.sockets()).toBe(1);
  expect(await device.page.evaluate(() => window.e2e.record.pings)).toEqual({ sent: 0, answered: 0 });
});

test("what a replaced socket still brings touches nothing", async () => {
  const world = await World.open(...flags);
  const { network, server, user } = world;
  const device = await world.device();
  await device.live();
  const publisher = new Publisher(server, user);
  await publisher.burst(1);
  await device.hears(1);

  // Late, not lost: the old socket's frames come when the new one has brought the same.
  network.stall();
  await publisher.burst(10);
  await device.page.evaluate(() => window.dispatchEvent(new Event("online")));
  await device.hears(11);
  await device.live();
  network.flow();
  await server.connected(user, 1); // the close of the old one has come through as well
  await publisher.burst(1);
  await device.hears(12);
  expect(await device.numbers()).toEqual(range(0, 12));
  expect(await device.sockets()).toBe(2);
  expect(await verdictAtRest(world, device, publisher)).toEqual([]);
});

test("a handshake that is never answered is given up", async () => {
  const world = await World.open();
  world.network.plan({ mute: true });
  const device = await world.device({ connectTimeoutMs: 1_000 });
  await device.live();
  expect(await losses(device)).toEqual(["timeout"]);
  expect(await device.sockets()).toBe(2);
});
