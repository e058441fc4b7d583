import { expect, test } from "vitest";
import type { Device } from "./kit/device.ts";
import { Publisher } from "./kit/publisher.ts";
import { verdictAtRest } from "./kit/rest.ts";
import { until } from "./kit/until.ts";
import { numbered, World } from "./kit/world.ts";

// Tokens that end, are renewed, are refused; and the close codes that mean stop.

/** Longer than any retry that `World.start` allows. */
const longEnough = 1_000;

/** Fails if a client that has stopped does not stay so, whatever happens around it. */
async function staysClosed(world: World, device: Device) {
  const before = { accepted: world.network.accepted, asked: device.asked.length };
  await device.page.evaluate(() => {
    window.dispatchEvent(new Event("online"));
    window.dispatchEvent(new PageTransitionEvent("pageshow", { persisted: true }));
    document.dispatchEvent(new Event("visibilitychange"));
  });
  await device.idle(longEnough);
  expect((await device.state()).phase).toBe("closed");
  expect({ accepted: world.network.accepted, asked: device.asked.length }).toEqual(before);
}

test("a token is renewed in place: the socket outlives it", async () => {
  const world = await World.open("-ping-interval", "1s");
  const { server, user } = world;
  // The hub warns a minute before the end: at once. A client asks for another token 10 s
  // after it got the last one, lest it run in circles.
  let ends = 0;
  const renewed = await world.page();
  const stranger = await world.page();
  for (const device of [renewed, stranger])
    device.answer = (reason) => {
      if (reason !== "connect") return { token: server.token(device === renewed ? user : "mallory") };
      if (device === renewed) ends = Math.floor(Date.now() / 1000) + 15;
      return { token: server.token(user, 15) };
    };
  await Promise.all([renewed.start(world.start()), stranger.start(world.start())]);
  await Promise.all([renewed.live(), stranger.live()]);

  const closed = await stranger.until((s) => s.phase === "closed", "the end of the one who came back as another");
  expect(closed).toMatchObject({ code: 4403, reason: "token of another user" });

  await until(
    async () => (await server.cursor(user)).lastEventTs,
    () => Date.now() / 1000 > ends + 1,
    "the first token's end",
  );
  await server.publish(user, numbered(1));
  await renewed.hears(1);
  expect(renewed.asked).toEqual(["connect", "expired"]);
  expect(await renewed.sockets()).toBe(1);
  expect(await renewed.errors()).toEqual([]);
});

test("a token that ends closes the socket on time; the next one resumes", async () => {
  const world = await World.open();
  const { server, user } = world;
  const device = await world.page();
  let ends = 0;
  device.answer = (reason) => {
    if (reason === "connect") ends = Math.floor(Date.now() / 1000) + 5;
    return { token: server.token(user, reason === "connect" ? 5 : 3600) };
  };
  await device.start(world.start());
  await device.live();
  const publisher = new Publisher(server, user);
  // Events all the time: none may leave on the old socket after the end.
  await until(
    async () => {
      await publisher.burst(1);
      return device.asked;
    },
    (asked) => asked.length === 2,
    "another token to be asked for",
  );
  await publisher.burst(1);
  await device.hears(publisher.published.length);

  expect(device.asked).toEqual(["connect", "expired"]);
  const { sockets } = await device.record();
  expect(sockets[0]?.closed).toEqual({ code: 4401, reason: "token expired" });
  const last = (await device.entries("frame")).filter(({ socket }) => socket === 0).at(-1);
  expect(Date.parse(last?.frame.timestamp ?? "")).toBeLessThanOrEqual(ends * 1000 + 1); // I10
  expect(await verdictAtRest(world, device, publisher)).toEqual([]);
  expect(await device.gaps()).toEqual([]);
});

test("a refused token backs off: it is asked about again, and never in a loop", async () => {
  const world = await World.open();
  const device = await world.page();
  device.answer = () => ({ token: "nonsense" });
  await device.start(world.start({ backoff: {} })); // 1 s, doubling: as it is by default
  const state = await device.until((s) => s.attempt === 4 && s.phase === "reconnecting", "four refusals");
  expect(state).toMatchObject({ code: 4401, reason: "token invalid", stale: true });

  const attempts = await world.server.journal("attempt");
  expect(attempts).toHaveLength(4);
  // Full jitter may mean at once, but not for a refused token.
  attempts.slice(1).forEach(({ at }, i) => {
    expect(at - (attempts[i]?.at ?? 0)).toBeGreaterThan(990);
  });
  expect(device.asked).toEqual(["connect", "refused", "refused", "refused"]);

  // A good one is all it needs.
  device.answer = () => ({ token: world.server.token(world.user) });
  await device.call("reconnect");
  await device.live();
});

test("a token function that fails is asked again; Unauthorized ends it", async () => {
  const world = await World.open();
  const { server, user, network } = world;
  const device = await world.page();
  const answers = [{ error: "HTTP 503" }, { error: "HTTP 503" }, { token: server.token(user) }];
  device.answer = () => answers.shift() ?? { unauthorized: true };
  await device.start(world.start());
  await device.live();
  expect(device.asked).toEqual(["connect", "connect", "connect"]);
  expect(await device.errors()).toEqual(["Error: HTTP 503", "Error: HTTP 503"]);
  expect(network.accepted).toBe(1);

  network.cut();
  await device.until((s) => s.phase === "closed" && s.reason === "unauthorized", "the end");
  await staysClosed(world, device);
});

test("4403 stops, until the page itself connects again", async () => {
  const world = await World.open();
  const { server, user } = world;
  const device = await world.device();
  await device.live();
  const publisher = new Publisher(server, user);
  await publisher.burst(2);
  await device.hears(2);
  expect(await server.disconnect(user, "logged out elsewhere")).toBe(1);
  const state = await device.until((s) => s.phase === "closed", "the end");
  expect(state).toMatchObject({ code: 4403, reason: "logged out elsewhere", stale: true });
  await publisher.burst(3);
  await staysClosed(world, device);
  expect(await device.numbers()).toEqual([0, 1]);

  await device.call("connect");
  await device.hears(5);
  expect(await verdictAtRest(world, device, publisher)).toEqual([]);
});

test("4409 stops the oldest: two pages do not take each other's place in turns", async () => {
  const world = await World.open("-max-conns-per-user", "1");
  const first = await world.device();
  await first.live();
  const second = await world.device();
  await second.live();
  const state = await first.until((s) => s.phase === "closed", "the end of the first");
  expect(state).toMatchObject({ code: 4409 });
  await staysClosed(world, first);
  expect((await second.state()).phase).toBe("connected");
  expect(await second.sockets()).toBe(1);
});

test("a full hub is asked again until there is room", async () => {
  const world = await World.open("-max-conns", "1");
  const bob = await world.device({}, "bob");
  await bob.live();
  const device = await world.device();
  await device.until((s) => s.code === 4429 && s.attempt >= 2, "refusals");
  await bob.call("destroy");
  await device.live();
});

test("destroy is logout: nothing of the user is left, and nothing comes any more", async () => {
  const world = await World.open();
  const { server, user, network } = world;
  const device = await world.device({ session: user });
  await device.live();
  await server.publish(user, numbered(2));
  await device.hears(2);
  const stored = () => device.page.evaluate(() => ({ ...sessionStorage }));
  expect(Object.keys(await stored())).toHaveLength(1);

  await device.call("destroy");
  await server.connected(user, 0);
  await server.publish(user, numbered(2, 2));
  await device.call("connect");
  await device.idle(longEnough);
  expect(await stored()).toEqual({});
  expect(await device.cursor()).toBeNull();
  expect(await device.page.evaluate(() => window.e2e.client?.latest("PENDING_CREATED"))).toBeUndefined();
  expect(await device.numbers()).toEqual([0, 1]);
  expect(network.accepted).toBe(1);
});
