import { expect, test } from "vitest";
import { until } from "../../../../js/e2e/kit/until.ts";
import { World } from "./kit/world.ts";

// Tokens that end, and sessions that do.

test("a token is renewed before it ends, on the same socket", async () => {
  // The server says that a token ends one minute before: 10 s after this one began.
  const world = await World.open("-token-ttl", "70s");
  const truth = await world.truth();
  const device = await world.device();
  await device.open("Pending");
  const ends = async (count: number) => {
    const frames = await until(
      () => device.frames.filter(({ type }) => type === "hub.expiring"),
      (found) => found.length >= count,
      `${count} tokens to be about to end`,
    );
    return frames.map(({ payload }) => Date.parse(String(payload.expiresAt)));
  };
  await ends(1);
  await until(
    () => device.requests.filter(({ path }) => path === "/api/token").length,
    (count) => count >= 1,
    "another token to be asked for",
  );
  // That the next one is about to end means that the server has taken it.
  const [first = 0, second = 0] = await ends(2);
  expect(second).toBeGreaterThan(first + 5_000);
  expect(device.sockets).toBe(1);
  const order = await truth.order("after the renewal");
  await device.hears("PENDING_CREATED", ({ payload }) => JSON.stringify(payload).includes(order.id));
  await device.agrees(truth);
});

test("a logout ends the session in all its tabs; a device with a session of its own comes back", async () => {
  const world = await World.open();
  const first = await world.device();
  const tab = await world.tab(first);
  const [other, stranger] = [await world.device(), await world.device("bruno")];
  await other.open("Pending");
  // The tab asks for a token, and is refused one: its browser says so.
  tab.allow(/status of 401/);
  const heard = other.frames.length;
  await first.logout();
  await first.showsLogin();
  await tab.showsLogin();
  await other.live(heard);
  expect([tab.sockets, other.sockets, stranger.sockets]).toEqual([1, 2, 1]);
  const anna = await world.truth();
  await anna.order("still here");
  await other.hears("PENDING_CREATED", undefined, heard);
  await other.agrees(anna);

  // And in again, as somebody else: nothing of anna's is left on the screen, or comes.
  const before = first.frames.length;
  await first.login("bruno");
  await first.live(before);
  await first.open("Pending");
  const bruno = await world.truth("bruno");
  await first.agrees(bruno);
  await anna.order("not for bruno");
  await bruno.order("for bruno");
  await first.hears("PENDING_CREATED", ({ payload }) => JSON.stringify(payload).includes("for bruno"), before);
  await first.agrees(bruno);
  expect(first.frames.slice(before).filter((frame) => JSON.stringify(frame).includes("not for bruno"))).toEqual([]);
  // The tab of the session before has stayed where it was.
  await tab.showsLogin();
});

test("a reload needs no login, and hears what happened meanwhile", async () => {
  const world = await World.open();
  const truth = await world.truth();
  const device = await world.device();
  await truth.order("before the reload");
  const heard = device.frames.length;
  await device.visit();
  await device.live(heard);
  await device.open("Pending");
  await device.agrees(truth);
});
