// biome-ignore-all lint/correctness/noComponentHookFactories: types of event are written like components
import { onlineManager } from "@tanstack/react-query";
import { afterEach, describe, expect, test, vi } from "vitest";
import { pass, settle } from "./kit.ts";
import { type Fetch, type Order, stage, tidy } from "./query-kit.ts";

tidy();
afterEach(() => onlineManager.setOnline(true));

/** Most tests are about something else than a connection's beginning. */
const calm = { gap: [] };
const orders = ["orders"];

describe("invalidations", () => {
  const events = { PENDING_CREATED: { queryKey: orders }, COUNT: [{ queryKey: ["orders", 7] }, { queryKey: ["n"] }] };

  test("of a burst are one fetch, 250 ms after the first", async () => {
    const s = stage({ ...calm, events });
    await s.show(orders, []);
    await s.up();
    for (let i = 1; i <= 100; i++) {
      s.socket.event("PENDING_CREATED", i, { order: { id: "1" } });
      if (i === 1) await pass(249);
    }
    expect(s.fetches).toHaveLength(0);
    await pass(1);
    expect(s.fetches).toHaveLength(1);
    await pass(1_000);
    expect(s.fetches).toHaveLength(1);
  });

  test("whose keys overlap fetch each query once", async () => {
    const s = stage({ ...calm, events });
    for (const key of [orders, ["orders", 7], ["n"], ["others"]]) await s.show(key, []);
    await s.up();
    s.socket.event("PENDING_CREATED", 1, { order: { id: "1" } });
    s.socket.event("COUNT", 2, 1);
    await pass(250);
    expect(s.fetches.map((f) => f.key)).toEqual([orders, ["orders", 7], ["n"]]);
  });

  test("of a stream let a fetch end, then fetch again", async () => {
    const s = stage({ ...calm, events });
    await s.show(orders, []);
    await s.up();
    for (let i = 1; i <= 100; i++) {
      s.socket.event("PENDING_CREATED", i, { order: { id: "1" } });
      await pass(100);
      if (i % 10 === 0) s.fetches.at(-1)?.answer([{ id: `${i}` }]); // after 750 ms at most
      await settle();
      if (i >= 10) expect(s.data(orders)).toEqual([{ id: `${i - (i % 10)}` }]);
    }
    expect(s.fetches).toHaveLength(10);
    await pass(250);
    s.fetches.at(-1)?.answer([{ id: "end" }]);
    await pass(60_000);
    expect(s.fetches).toHaveLength(11);
    expect(s.data(orders)).toEqual([{ id: "end" }]);
  });

  test("do not wait for ever for a fetch that hangs", async () => {
    const s = stage({ ...calm, events });
    await s.show(orders, []);
    await s.up();
    s.queryClient.refetchQueries({ queryKey: orders });
    await settle();
    s.socket.event("PENDING_CREATED", 1, { order: { id: "1" } });
    await pass(10_000);
    s.socket.event("PENDING_CREATED", 2, { order: { id: "1" } }); // as they come in a stream
    await pass(4_750);
    expect(s.fetches).toHaveLength(1);
    await pass(500);
    expect(s.fetches).toHaveLength(2);
    s.fetches[0]?.answer([{ id: "too late" }]);
    s.fetches[1]?.answer([{ id: "1" }]);
    await settle();
    expect(s.data(orders)).toEqual([{ id: "1" }]);
  });

  test("wait as long as it takes for a fetch that nobody shows: nothing would begin it anew", async () => {
    const s = stage({ ...calm, events });
    s.queryClient.setQueryData(orders, []);
    await s.up();
    let answer = (_: Order[]) => {};
    const queryFn = () =>
      new Promise<Order[]>((resolve) => {
        answer = resolve;
      });
    s.queryClient.fetchQuery({ queryKey: orders, queryFn });
    await settle();
    s.socket.event("PENDING_CREATED", 1, { order: { id: "1" } });
    await pass(20_000);
    answer([{ id: "old" }]);
    await pass(250);
    expect(s.queryClient.getQueryState(orders)?.isInvalidated).toBe(true); // for whoever shows it next
  });

  test("coalesceMs", async () => {
    const s = stage({ ...calm, events, coalesceMs: 1_000 });
    await s.show(orders, []);
    await s.up();
    s.socket.event("PENDING_CREATED", 1, { order: { id: "1" } });
    await pass(999);
    expect(s.fetches).toHaveLength(0);
    await pass(1);
    expect(s.fetches).toHaveLength(1);
  });

  test("a query that is removed during its first fetch is waited for no longer", async () => {
    const s = stage({ ...calm, events });
    await s.up();
    await s.show(orders);
    s.socket.event("PENDING_CREATED", 1, { order: { id: "1" } });
    await settle();
    s.queryClient.removeQueries({ queryKey: orders });
    s.client.close();
    await pass(250);
    expect(vi.getTimerCount()).toBe(0);
  });
});

describe("a fetch that fails", () => {
  const late = (s: ReturnType<typeof stage>) => s.fetches.at(-1) as Fetch;

  test("is made again every pollMs until it succeeds, however many events there were", async () => {
    const s = stage({ ...calm, events: { COUNT: { queryKey: orders } } });
    await s.show(orders, []);
    await s.up();
    for (let i = 1; i <= 3; i++) {
      s.socket.event("COUNT", i, i);
      await pass(250);
      late(s).fail(new Error("away"));
      await pass(750);
    }
    expect(s.fetches).toHaveLength(3);
    for (let i = 4; i <= 6; i++) {
      await pass(15_250); // and coalesceMs
      expect(s.fetches).toHaveLength(i);
      if (i < 6) late(s).fail(new Error("away"));
    }
    late(s).answer([{ id: "1" }]);
    await pass(60_000);
    expect(s.fetches).toHaveLength(6);
    expect(s.data(orders)).toEqual([{ id: "1" }]);
  });

  test("is made again while another one of the same event hangs", async () => {
    const s = stage({ ...calm, events: { COUNT: [{ queryKey: ["a"] }, { queryKey: ["b"] }] } });
    await s.show(["a"], 0);
    await s.show(["b"], 0);
    await s.up();
    s.socket.event("COUNT", 1, 1);
    await pass(250);
    s.fetches[0]?.fail(new Error("away"));
    await pass(15_250);
    expect(s.fetches.map((f) => f.key[0])).toEqual(["a", "b", "a"]);
  });

  test("is made again if it had waited for the network", async () => {
    const s = stage({ ...calm, events: { COUNT: { queryKey: orders } } });
    await s.show(orders, []);
    await s.up();
    onlineManager.setOnline(false);
    s.socket.event("COUNT", 1, 1);
    await pass(1_000);
    onlineManager.setOnline(true);
    await settle();
    s.fetches[0]?.fail(new Error("not yet"));
    await pass(15_250);
    expect(s.fetches).toHaveLength(2);
  });

  test("of the page's own doing is the page's own matter", async () => {
    const s = stage({ ...calm, events: { COUNT: { queryKey: orders } } });
    await s.show(orders, []);
    await s.up();
    s.socket.event("COUNT", 1, 1);
    await pass(250);
    late(s).answer([]);
    await settle();
    s.queryClient.refetchQueries({ queryKey: orders });
    await settle();
    late(s).fail(new Error("away"));
    await pass(60_000);
    expect(s.fetches).toHaveLength(2);
  });

  test("is not made again once something else has fetched it, or nobody shows it", async () => {
    const s = stage({ ...calm, events: { COUNT: { queryKey: orders } } });
    await s.show(orders, []);
    await s.up();
    s.socket.event("COUNT", 1, 1);
    await pass(250);
    late(s).fail(new Error("away"));
    await pass(5_000);
    s.queryClient.refetchQueries({ queryKey: orders });
    await settle();
    late(s).answer([{ id: "1" }]);
    await pass(60_000);
    expect(s.fetches).toHaveLength(2);
  });
});
