import { expect, test } from "vitest";
import { numbered, World } from "./kit/world.ts";

// Nothing falls between a page's data and its connection, nor between two loads of it.

test("a page that was rendered with a cursor hears what happened before it connected", async () => {
  const world = await World.open();
  const { server, user, files } = world;
  await server.publish(user, numbered(2));
  files.rendered = await server.cursor(user); // and the data after it
  const device = await world.page();
  await server.publish(user, numbered(3, 2));
  const initialCursor = await device.page.evaluate(() => window.rendered as never);
  await device.start(world.start({ initialCursor }));
  const heard = await device.hears(3);
  await device.live();
  expect(await device.numbers()).toEqual([2, 3, 4]);
  expect(heard.map(({ meta }) => meta.replayed)).toEqual([true, true, true]);
  expect(await device.gaps()).toEqual([]);
});

test("without a cursor a page hears nothing of the past but the newest values", async () => {
  const world = await World.open();
  const { server, user } = world;
  await server.publish(user, [
    ...numbered(3),
    { type: "JOB_PROGRESS", key: "job:1", payload: { n: 3 } },
    { type: "JOB_PROGRESS", key: "job:2", payload: { n: 4 } },
    { type: "JOB_PROGRESS", key: "job:1", payload: { n: 5 } },
    { type: "JOB_PROGRESS", key: "job:3", payload: { n: 6 } },
    { type: "JOB_COMPLETED", key: "job:3", payload: { n: 7 } },
  ]);
  const device = await world.device();
  await device.live();
  const heard = await device.events();
  expect(heard.map(({ payload, meta }) => [payload, meta.key, meta.latest])).toEqual([
    [{ n: 4 }, "job:2", true],
    [{ n: 5 }, "job:1", true],
  ]);
  const latest = (key: string) => device.page.evaluate((k) => window.e2e.client?.latest("JOB_PROGRESS", k), key);
  expect(await latest("job:1")).toEqual({ n: 5 });
  await server.publish(user, [{ type: "JOB_COMPLETED", key: "job:1", payload: { n: 8 } }]);
  await device.hears(3);
  expect(await latest("job:1")).toBeUndefined();
  expect(await latest("job:2")).toEqual({ n: 4 });
});

test("a reload resumes where the tab stopped", async () => {
  const world = await World.open();
  const { server, user } = world;
  const device = await world.device({ session: user });
  await device.live();
  await server.publish(user, numbered(2));
  await device.hears(2);

  await device.visit(`${world.files.origin}/core.html`);
  await server.connected(user, 0);
  await server.publish(user, numbered(3, 2));
  await device.start(world.start({ session: user }));
  await device.hears(3);
  await device.live();
  expect(await device.numbers()).toEqual([2, 3, 4]);
  expect(await device.gaps()).toEqual([]);
  expect((await server.journal("connect")).map(({ verdict }) => verdict)).toEqual(["fresh", "resumed"]);
});

test("a page hears no echo of what it did itself, live or replayed; others do", async () => {
  const world = await World.open();
  const { server, user, network } = world;
  const mine = await world.device({ deviceId: "mine" });
  const other = await world.device({ deviceId: "other" });
  await Promise.all([mine.live(), other.live()]);
  const event = (n: number, except?: string) => ({
    type: "PENDING_UPDATED",
    payload: { n },
    ...(except && { except }),
  });
  await server.publish(user, [event(0, "mine"), event(1)]);
  await Promise.all([mine.hears(1), other.hears(2)]);
  network.refusing = true;
  network.cut();
  await server.publish(user, [event(2, "mine"), event(3)]);
  network.refusing = false;
  await Promise.all([mine.hears(2), other.hears(4)]);
  expect(await mine.numbers()).toEqual([1, 3]);
  expect(await other.numbers()).toEqual([0, 1, 2, 3]);
});

test("events to everyone come in a scope of their own, and resume by it", async () => {
  const world = await World.open();
  const { server, network } = world;
  const alice = await world.device();
  const bob = await world.device({}, "bob");
  await Promise.all([alice.live(), bob.live()]);
  await server.publish("alice", numbered(1));
  await alice.hears(1);
  network.refusing = true;
  network.cut();
  await server.publish(null, numbered(2, 10));
  await server.publish("bob", numbered(1, 20));
  network.refusing = false;
  await Promise.all([alice.hears(3), bob.hears(3)]);
  await Promise.all([alice.live(), bob.live()]);
  const scopes = async (device: typeof alice) =>
    (await device.events()).map(({ payload, meta }) => `${meta.scope} ${(payload as { n: number }).n}`).sort();
  expect(await scopes(alice)).toEqual(["all 10", "all 11", "user 0"]);
  expect(await scopes(bob)).toEqual(["all 10", "all 11", "user 20"]);
  expect([...(await alice.gaps()), ...(await bob.gaps())]).toEqual([]);
});

test("a cookie will do instead of a token, to pages of an allowed origin", async () => {
  const world = await World.open();
  await world.login();
  const device = await world.device({ cookie: true });
  await device.live();
  expect(device.asked).toEqual([]);
  expect((await world.server.journal("connect")).map(({ user }) => user)).toEqual([world.user]);

  // By another name this machine is another site, and its cookie is not sent: nobody is
  // known there, and its origin is not allowed either.
  const elsewhere = world.files.origin.replace("127.0.0.1", "localhost");
  const stranger = await world.page({ origin: elsewhere });
  await stranger.start(world.start({ cookie: true }));
  await stranger.until((s) => s.attempt >= 2, "refusals");
  expect(await stranger.state()).toMatchObject({ code: 1006, reason: "lost" });
  expect(await world.server.connections(world.user)).toBe(1);
});

test("a message reaches OnMessage, and a ping its answer", async () => {
  const world = await World.open();
  const device = await world.device();
  expect(await device.page.evaluate(() => window.e2e.client?.send("too early"))).toBe(false);
  await device.live();
  expect(await device.page.evaluate(() => window.e2e.client?.send({ typing: true }))).toBe(true);
  const ms = await device.page.evaluate(() => window.e2e.client?.ping());
  expect(ms).toBeGreaterThanOrEqual(0);
  expect((await world.server.journal("message")).map(({ text }) => text)).toEqual(['{"typing":true}']);
  expect(await device.errors()).toEqual([]);
});
