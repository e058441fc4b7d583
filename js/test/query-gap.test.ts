// @vitest-environment jsdom
// biome-ignore-all lint/correctness/noComponentHookFactories: types of event are written like components
import { describe, expect, test, vi } from "vitest";
import { cursor, pass, settle, ts } from "./kit.ts";
import { stage, tidy } from "./query-kit.ts";

tidy();

const lagged = (at: number) => ({ type: "hub.gap", payload: { reason: "lagged" }, timestamp: ts(at) });
const keys = (s: ReturnType<typeof stage>) => s.fetches.map((f) => f.key[0]);

describe("a gap", () => {
  test("invalidates what is named, and nothing else", async () => {
    const s = stage({ gap: [{ queryKey: ["a"] }, { queryKey: ["b"], exact: true }] });
    for (const key of [["a", 1], ["b"], ["b", 1], ["c"]]) await s.show(key, 0);
    await s.up();
    s.socket.frame(lagged(5));
    await pass(250);
    expect(s.fetches.map((f) => f.key)).toEqual([["a", 1], ["b"]]);
  });

  test("invalidates everything if nothing is named", async () => {
    const s = stage();
    for (const key of [["a"], ["b"]]) await s.show(key, 0);
    s.queryClient.setQueryData(["unseen"], 1);
    await s.up();
    s.socket.frame(lagged(5));
    await pass(250);
    expect(keys(s)).toEqual(["a", "b"]);
    expect(s.queryClient.getQueryState(["unseen"])?.isInvalidated).toBe(true);
  });

  test("at a reconnect is one fetch with what was replayed", async () => {
    const s = stage({ events: { COUNT: { queryKey: ["a"] } } });
    await s.show(["a"], 0);
    await s.up();
    s.socket.end();
    await pass(1_000);
    s.socket.hello(9, { verdict: "gap", reason: "evicted" });
    for (let i = 10; i < 60; i++) s.socket.event("COUNT", i, i);
    s.socket.live(60);
    await pass(1_000);
    expect(keys(s)).toEqual(["a"]);
  });

  test("is not forgotten when an event updates the data while it is fetched for the gap", async () => {
    const s = stage({ events: { COUNT: (n) => ({ queryKey: ["a"], update: () => n }) } });
    await s.show(["a"], 0);
    await s.up();
    s.socket.frame(lagged(5));
    await pass(250);
    s.socket.event("COUNT", 6, 6);
    await pass(250);
    s.fetches[0]?.answer("early");
    await settle();
    expect(s.data(["a"])).toBe(6);
    await pass(250);
    expect(keys(s)).toEqual(["a", "a"]);
    s.fetches[1]?.answer("truth");
    await settle();
    expect(s.data(["a"])).toBe("truth");
  });
});

describe("events that nobody can tell of", () => {
  test("a connection without a cursor: what was fetched before it is fetched again", async () => {
    const s = stage({ gap: [{ queryKey: ["a"] }] });
    s.bind();
    await s.show(["a"], 0);
    await s.show(["b"], 0);
    await s.dial();
    await pass(1_000);
    expect(keys(s)).toEqual([]);
    s.socket.hello(0);
    await s.show(["a", "later"], 0); // fetched after the hub began to listen
    s.socket.live(0);
    await pass(250);
    expect(keys(s)).toEqual(["a"]);
    s.socket.end();
    await pass(1_000);
    s.socket.up(0);
    await pass(250);
    expect(keys(s)).toEqual(["a"]); // resumed: nothing was missed
  });

  test("a cursor from the page's own data: nothing is fetched", async () => {
    const s = stage({}, { initialCursor: cursor(5) });
    s.bind();
    await s.show(["a"], 0);
    await s.dial();
    s.socket.up(5);
    await pass(1_000);
    expect(keys(s)).toEqual([]);
  });

  test("bound to a connection that is up or coming back: fetched again", async () => {
    const s = stage();
    await s.show(["a"], 0);
    await s.dial();
    s.socket.up(0);
    s.bind();
    await pass(250);
    expect(keys(s)).toEqual(["a"]);
  });

  test("bound while it is coming back: fetched again when it is back", async () => {
    const s = stage();
    await s.show(["a"], 0);
    await s.dial();
    s.socket.up(0);
    s.socket.end();
    s.bind();
    await pass(1_000);
    expect(keys(s)).toEqual([]);
    s.socket.up(0);
    await pass(250);
    expect(keys(s)).toEqual(["a"]);
  });
});

describe("polling", () => {
  test("every 15 s while the hub cannot be reached, and not otherwise", async () => {
    const s = stage({ gap: [{ queryKey: ["a"] }], poll: [{ queryKey: ["b"] }] });
    await s.show(["a"], 0);
    await s.show(["b"], 0);
    await s.up();
    await pass(120_000);
    expect(keys(s)).toEqual([]);
    s.socket.end();
    await pass(14_999);
    expect(keys(s)).toEqual([]);
    await pass(251);
    expect(keys(s)).toEqual(["b"]);
    s.fetches[0]?.answer(1);
    await pass(15_000);
    expect(keys(s)).toEqual(["b", "b"]);
    s.fetches[1]?.answer(1);
    s.socket.up(0, { heartbeatMs: 3_600_000 });
    await pass(120_000);
    expect(keys(s)).toEqual(["b", "b"]);
  });

  test("from the first attempt on; what a gap invalidates, if nothing is named; pollMs", async () => {
    const s = stage({ gap: [{ queryKey: ["a"] }], pollMs: 5_000 }, { initialCursor: cursor(5) });
    await s.show(["a"], 0);
    await s.show(["b"], 0);
    s.bind();
    await pass(60_000);
    expect(keys(s)).toEqual([]); // nobody wants a connection
    await s.dial();
    await pass(5_250);
    expect(keys(s)).toEqual(["a"]);
  });

  test.each([
    [4403, "revoked", 0],
    [4409, "replaced", 1],
  ])("closed for good by %i", async (code, reason, polls) => {
    const s = stage();
    await s.show(["a"], 0);
    await s.up();
    s.socket.end(code, reason);
    await pass(15_250);
    expect(s.fetches).toHaveLength(polls);
  });

  test("ends with close and with destroy", async () => {
    for (const end of ["close", "destroy"] as const) {
      const s = stage();
      await s.show(["a"], 0);
      await s.up();
      s.socket.end();
      s.client[end]();
      await pass(60_000);
      expect(s.fetches).toHaveLength(0);
    }
  });

  test("not while nobody sees it", async () => {
    const s = stage();
    await s.show(["a"], 0);
    await s.up();
    const hidden = vi.spyOn(document, "hidden", "get").mockReturnValue(true);
    s.socket.end();
    await pass(60_250);
    expect(s.fetches).toHaveLength(0);
    hidden.mockReturnValue(false);
    await pass(15_000);
    expect(s.fetches).toHaveLength(1);
  });
});

describe("a fetch for a gap that fails", () => {
  test("is made again when somebody sees it", async () => {
    const s = stage();
    await s.show(["a"], 0);
    await s.up();
    const hidden = vi.spyOn(document, "hidden", "get").mockReturnValue(true);
    s.socket.frame(lagged(5));
    await pass(250);
    s.fetches[0]?.fail(new Error("away"));
    await pass(60_250);
    expect(s.fetches).toHaveLength(1);
    hidden.mockReturnValue(false);
    await pass(15_250);
    expect(s.fetches).toHaveLength(2);
  });

  test("does not end one that somebody else has begun meanwhile", async () => {
    const s = stage();
    await s.show(["a"], 0);
    await s.up();
    s.socket.frame(lagged(5));
    await pass(250);
    s.fetches[0]?.fail(new Error("away"));
    await pass(10_000);
    s.queryClient.refetchQueries({ queryKey: ["a"] });
    await pass(15_000);
    expect(s.fetches).toHaveLength(2);
    s.fetches[1]?.answer(1);
    await settle();
    expect(s.data(["a"])).toBe(1);
    await pass(250); // and once more: it was not made for the gap
    s.fetches[2]?.answer(2);
    await pass(60_000);
    expect(s.fetches).toHaveLength(3);
  });
});

describe("unbind", () => {
  test("leaves no timer and no subscription, and hears nothing more", async () => {
    const s = stage({ events: { COUNT: { queryKey: ["a"] } } });
    await s.show(["a"], 0);
    await s.up();
    s.socket.end(); // polling
    const before = vi.getTimerCount();
    const unbind = s.bind();
    expect(vi.getTimerCount()).toBe(before + 1);
    unbind();
    expect(vi.getTimerCount()).toBe(before);
    unbind(); // again
    expect(s.fetches).toHaveLength(0);
  });

  test("does at once what waited", async () => {
    const s = stage({ gap: [], events: { COUNT: { queryKey: ["a"] } } });
    await s.show(["a"], 0);
    const unbind = s.bind();
    await s.up();
    s.socket.event("COUNT", 1, 1);
    await settle();
    unbind();
    await settle();
    expect(keys(s)).toEqual(["a"]);
    s.socket.event("COUNT", 2, 2);
    await pass(1_000);
    expect(keys(s)).toEqual(["a"]);
  });

  test("in the middle of updates: those that came are made", async () => {
    const s = stage({
      gap: [],
      events: { COUNT: (n) => ({ queryKey: ["a"], update: (old: never) => [...(old as number[]), n] }) },
    });
    await s.show(["a"], []);
    const unbind = s.bind();
    await s.up();
    s.queryClient.refetchQueries({ queryKey: ["a"] });
    await settle();
    for (let i = 1; i <= 10; i++) s.socket.event("COUNT", i, i);
    unbind();
    const timers = vi.getTimerCount();
    s.socket.event("COUNT", 11, 11);
    await settle();
    expect(s.data(["a"])).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
    expect(s.fetches).toHaveLength(2); // the one that was cancelled, and again
    expect(vi.getTimerCount()).toBe(timers);
  });

  test("during a first fetch nothing waits for it", async () => {
    const s = stage({ gap: [], events: { COUNT: { queryKey: ["a"] } } });
    const unbind = s.bind();
    await s.up();
    await s.show(["a"]);
    s.socket.event("COUNT", 1, 1);
    await settle();
    const timers = vi.getTimerCount();
    unbind();
    expect(vi.getTimerCount()).toBe(timers - 1);
  });
});
