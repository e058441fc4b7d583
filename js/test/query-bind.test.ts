// biome-ignore-all lint/correctness/noComponentHookFactories: types of event are written like components
import { onlineManager, QueryObserver, queryOptions } from "@tanstack/react-query";
import { afterEach, describe, expect, test, vi } from "vitest";
import { update } from "../src/query/index.ts";
import { pass, settle, ts } from "./kit.ts";
import { type Order, stage, tidy } from "./query-kit.ts";

tidy();

/** Most tests are about something else than a connection's beginning. */
const calm = { gap: [] };
const orders = ["orders"];
const put = (order: Order) => update(orders, (old: Order[]) => [...old.filter((o) => o.id !== order.id), order]);

describe("updates", () => {
  test("change what was fetched, at once and without a fetch", async () => {
    const s = stage({ ...calm, events: { PENDING_CREATED: ({ order }) => put(order) } });
    await s.show(orders, [{ id: "1" }]);
    await s.up();
    s.socket.event("PENDING_CREATED", 1, { order: { id: "2" } });
    await settle();
    expect(s.data(orders)).toEqual([{ id: "1" }, { id: "2" }]);
    await pass(1_000);
    expect(s.fetches).toEqual([]);
  });

  test("skip what was never fetched: no query is made, no updater called", async () => {
    const updater = vi.fn();
    const s = stage({ ...calm, events: { PENDING_CREATED: () => update(orders, updater) } });
    const idle = new QueryObserver(s.queryClient, { queryKey: orders, queryFn: () => 1, enabled: false });
    await s.up();
    s.socket.event("PENDING_CREATED", 1, { order: { id: "2" } });
    await settle();
    expect(s.queryClient.getQueryCache().getAll()).toHaveLength(1); // the observer's, without data
    expect(idle.getCurrentResult().data).toBeUndefined();
    expect(updater).not.toHaveBeenCalled();
  });

  test("are of the exact key; a target without exact is a prefix", async () => {
    const s = stage({
      ...calm,
      events: {
        COUNT: (n) => update(["n"], () => n),
        JOB_PROGRESS: ({ progress }) => ({ queryKey: ["n"], update: () => progress }),
      },
    });
    await s.show(["n"], 0);
    await s.show(["n", "page", 1], 0);
    await s.up();
    s.socket.event("COUNT", 1, 5);
    await settle();
    expect([s.data(["n"]), s.data(["n", "page", 1])]).toEqual([5, 0]);
    s.socket.event("JOB_PROGRESS", 2, { jobId: "1", progress: 9 });
    await settle();
    expect([s.data(["n"]), s.data(["n", "page", 1])]).toEqual([9, 9]);
  });

  test("of a burst are made in order, none lost", async () => {
    const s = stage({ ...calm, events: { COUNT: (n) => update(["n"], (old: number[]) => [...old, n]) } });
    await s.show(["n"], []);
    await s.up();
    for (let i = 1; i <= 100; i++) s.socket.event("COUNT", i, i);
    await settle();
    expect(s.data(["n"])).toEqual(Array.from({ length: 100 }, (_, i) => i + 1));
  });

  test("keep their order when they meet a fetch", async () => {
    const s = stage({ ...calm, events: { COUNT: (n) => update(["n"], (old: number[]) => [...old, n]) } });
    await s.show(["n"], [0]);
    await s.up();
    s.queryClient.refetchQueries({ queryKey: ["n"] });
    await settle();
    for (let i = 1; i <= 10; i++) s.socket.event("COUNT", i, i);
    await settle();
    expect(s.data(["n"])).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
  });

  test("keep their order when they concern different queries", async () => {
    const s = stage({
      ...calm,
      events: {
        COUNT: (n) => ({ queryKey: ["n"], update: (old: never) => [...(old as number[]), n] }),
        JOB_PROGRESS: ({ progress }) => update(["n", "b"], (old: number[]) => [...old, progress]),
      },
    });
    await s.show(["n", "a"], [0]);
    s.queryClient.setQueryData(["n", "b"], [0]);
    await s.up();
    s.queryClient.refetchQueries({ queryKey: ["n", "a"] });
    await settle();
    s.socket.event("COUNT", 1, 1);
    s.socket.event("JOB_PROGRESS", 2, { jobId: "1", progress: 2 });
    s.socket.event("COUNT", 3, 3);
    await settle();
    expect([s.data(["n", "a"]), s.data(["n", "b"])]).toEqual([
      [0, 1, 3],
      [0, 1, 2, 3],
    ]);
  });

  test("are not undone by the answer of a fetch from before them, and that fetch is made again", async () => {
    const s = stage({ ...calm, events: { PENDING_CREATED: ({ order }) => put(order) } });
    await s.show(orders, [{ id: "1" }]);
    await s.up();
    s.queryClient.refetchQueries({ queryKey: orders });
    await settle();
    s.socket.event("PENDING_CREATED", 1, { order: { id: "2" } });
    await settle();
    s.fetches[0]?.answer([{ id: "1" }]); // read before the order was written
    await settle();
    expect(s.data(orders)).toEqual([{ id: "1" }, { id: "2" }]);
    await pass(250);
    expect(s.fetches).toHaveLength(2);
    s.fetches[1]?.answer([{ id: "1" }, { id: "2" }, { id: "3" }]);
    await settle();
    expect(s.data(orders)).toEqual([{ id: "1" }, { id: "2" }, { id: "3" }]);
  });

  test("in a stream: fetches are answered all the same, and nothing that came meanwhile is undone", async () => {
    const s = stage({ ...calm, events: { PENDING_CREATED: ({ order }) => put(order) } });
    const truth: Order[] = [{ id: "0" }];
    await s.show(orders, truth);
    await s.up();
    s.queryClient.invalidateQueries({ queryKey: orders });
    await settle();
    expect(s.fetches).toHaveLength(1);
    let answered = 0;
    truth.push({ id: "hidden" }); // by somebody of whom no event tells: only a fetch does
    const read = [[...truth]]; // what each fetch will bring: the list as it was when it began
    for (let i = 1; i <= 100; i++) {
      truth.push({ id: `${i}` });
      s.socket.event("PENDING_CREATED", i, { order: { id: `${i}` } });
      await pass(50);
      if (s.fetches.length > read.length) read.push([...truth]);
      if (i % 8 === 0 && s.fetches.length > answered) s.fetches[answered]?.answer(read[answered++]);
      await settle();
      const ids = (s.data(orders) as Order[]).map(({ id }) => id);
      expect(ids).toEqual(expect.arrayContaining(Array.from({ length: i + 1 }, (_, n) => `${n}`)));
      if (i >= 8) expect(ids).toContain("hidden");
    }
    expect(answered).toBeGreaterThan(5);
    for (; answered < s.fetches.length; await pass(250)) s.fetches[answered++]?.answer(truth);
    expect(s.data(orders)).toEqual(truth);
    await pass(60_000);
    expect(s.fetches).toHaveLength(answered);
  });

  test("an invalidation meets the first fetch: it is made again when it has answered", async () => {
    const s = stage({ ...calm, events: { PENDING_CREATED: [{ queryKey: orders }] } });
    await s.up();
    await s.show(orders);
    s.socket.event("PENDING_CREATED", 1, { order: { id: "2" } });
    await pass(20_000); // longer than another fetch may take
    expect(s.fetches).toHaveLength(1);
    s.fetches[0]?.answer([{ id: "1" }]);
    await settle();
    expect(s.data(orders)).toEqual([{ id: "1" }]);
    await pass(250);
    expect(s.fetches).toHaveLength(2);
  });

  test("an updater meets the first fetch: the same", async () => {
    const s = stage({ ...calm, events: { PENDING_CREATED: ({ order }) => put(order) } });
    await s.up();
    await s.show(orders);
    s.socket.event("PENDING_CREATED", 1, { order: { id: "2" } });
    await settle();
    s.fetches[0]?.answer([{ id: "1" }]); // read before the order was written
    await settle();
    expect(s.data(orders)).toEqual([{ id: "1" }, { id: "2" }]);
    await pass(500);
    expect(s.fetches).toHaveLength(2);
    s.fetches[1]?.answer([{ id: "1" }, { id: "2" }]);
    await settle();
    expect(s.data(orders)).toEqual([{ id: "1" }, { id: "2" }]);
  });

  test("a fetch that waits for the network is not lost with the update", async () => {
    const s = stage({ ...calm, events: { PENDING_CREATED: ({ order }) => put(order) } });
    await s.show(orders, [{ id: "1" }]);
    await s.up();
    onlineManager.setOnline(false);
    s.queryClient.refetchQueries({ queryKey: orders });
    await settle();
    s.socket.event("PENDING_CREATED", 1, { order: { id: "2" } });
    await pass(500);
    expect(s.data(orders)).toEqual([{ id: "1" }, { id: "2" }]);
    expect(s.fetches).toEqual([]);
    onlineManager.setOnline(true);
    await settle();
    expect(s.fetches).toHaveLength(1);
  });
  afterEach(() => onlineManager.setOnline(true));

  test("do not make data count as new that was invalidated before", async () => {
    const s = stage({ ...calm, events: { PENDING_CREATED: ({ order }) => put(order) } });
    s.queryClient.setQueryData(orders, [{ id: "1" }]); // nobody shows it: an invalidation fetches nothing
    await s.up();
    await s.queryClient.invalidateQueries({ queryKey: orders });
    s.socket.event("PENDING_CREATED", 1, { order: { id: "2" } });
    await pass(250);
    expect(s.data(orders)).toEqual([{ id: "1" }, { id: "2" }]);
    expect(s.queryClient.getQueryState(orders)?.isInvalidated).toBe(true);
  });

  test.each(["cancels it", "hides the list"])("are not undone when somebody %s during a fetch", async (what) => {
    const s = stage({ ...calm, events: { PENDING_CREATED: ({ order }) => put(order) } });
    s.queryClient.setQueryData(orders, [{ id: "1" }]);
    await s.up();
    const queryFn = ({ signal }: { signal: AbortSignal }) =>
      new Promise<Order[]>((_, fail) => signal.addEventListener("abort", () => fail(new Error("aborted"))));
    const hide = new QueryObserver(s.queryClient, { queryKey: orders, queryFn }).subscribe(() => {});
    await settle();
    expect(s.queryClient.isFetching()).toBe(1);
    s.socket.event("PENDING_CREATED", 1, { order: { id: "2" } });
    await settle();
    if (what === "hides the list") hide();
    else await s.queryClient.cancelQueries({ queryKey: orders });
    await settle();
    expect(s.queryClient.isFetching()).toBe(0);
    expect(s.data(orders)).toEqual([{ id: "1" }, { id: "2" }]);
    hide();
    await pass(250);
    expect(s.queryClient.getQueryState(orders)?.isInvalidated).toBe(true); // for whoever shows it next
  });

  test("of a fetch that failed are not made of a later answer, which knows more", async () => {
    const s = stage({ ...calm, events: { COUNT: (n) => update(["n"], () => n) } });
    await s.show(["n"], 0);
    await s.up();
    s.queryClient.refetchQueries({ queryKey: ["n"] });
    await settle();
    s.socket.event("COUNT", 1, 1);
    await settle();
    s.fetches[0]?.fail(new Error("away"));
    await settle();
    expect(s.data(["n"])).toBe(1);
    await pass(250);
    expect(s.fetches).toHaveLength(2); // no event is to blame, and none waits for pollMs
    s.fetches[1]?.answer(2);
    await settle();
    expect(s.data(["n"])).toBe(2);
  });

  test("of a fetch that was given up are not made of the next one's answer", async () => {
    const s = stage({
      ...calm,
      events: { PENDING_CREATED: ({ order }) => put(order), PENDING_DELETED: { queryKey: orders } },
    });
    await s.show(orders, []);
    await s.up();
    s.queryClient.refetchQueries({ queryKey: orders }); // hangs
    await settle();
    s.socket.event("PENDING_CREATED", 1, { order: { id: "1" } });
    await pass(10_000);
    s.socket.event("PENDING_DELETED", 2, { orderIds: ["1"], count: 1 });
    await pass(5_500);
    expect(s.fetches).toHaveLength(2);
    s.fetches[1]?.answer([]); // begun after both
    await pass(60_000);
    expect(s.fetches).toHaveLength(2);
    expect(s.data(orders)).toEqual([]);
  });

  test("are not made again when the fetch fails: what the page wrote meanwhile is newer, and a failure stays one", async () => {
    const s = stage({ ...calm, events: { PENDING_CREATED: ({ order }) => put(order) } });
    await s.show(orders, []);
    await s.up();
    s.queryClient.refetchQueries({ queryKey: orders });
    await settle();
    s.socket.event("PENDING_CREATED", 1, { order: { id: "1", note: "of the event" } });
    await settle();
    s.queryClient.setQueryData(orders, [{ id: "1", note: "of a response" }]);
    s.fetches[0]?.fail(new Error("away"));
    await settle();
    expect(s.data(orders)).toEqual([{ id: "1", note: "of a response" }]);
    expect(s.queryClient.getQueryState(orders)?.status).toBe("error");
  });

  test("that one query does not suit are made of the others", async () => {
    const s = stage({
      ...calm,
      events: { COUNT: (n) => ({ queryKey: ["n"], update: (old: never) => [...(old as number[]), n] }) },
    });
    await s.show(["n", "odd"], { no: "list" });
    await s.show(["n", "list"], []);
    await s.up();
    s.socket.event("COUNT", 1, 1);
    await settle();
    expect(s.data(["n", "list"])).toEqual([1]);
    expect(s.errors).toHaveLength(1);
  });

  test("that an answer does not suit cost it nothing, nor each other", async () => {
    const s = stage({ ...calm, events: { PENDING_CREATED: ({ order }) => put(order) } });
    await s.show(orders, []);
    await s.up();
    s.queryClient.refetchQueries({ queryKey: orders });
    await settle();
    s.socket.event("PENDING_CREATED", 1, { order: { id: "1" } });
    await settle();
    s.fetches[0]?.answer("no list");
    await settle();
    expect(s.queryClient.getQueryState(orders)).toMatchObject({ data: "no list", status: "success" });
    expect(s.errors).toEqual([]);
  });

  test("of more than a thousand the last thousand are made again, and the next fetch has them all", async () => {
    const s = stage({ ...calm, events: { COUNT: (n) => update(["n"], (old: number[]) => [...old, n]) } });
    await s.show(["n"], []);
    await s.up();
    s.queryClient.refetchQueries({ queryKey: ["n"] });
    await settle();
    for (let i = 1; i <= 1_500; i++) s.socket.event("COUNT", i, i);
    await settle();
    s.fetches[0]?.answer([]);
    await settle();
    expect(s.data(["n"])).toEqual(Array.from({ length: 1_000 }, (_, i) => i + 501));
    await pass(250);
    expect(s.fetches).toHaveLength(2);
  });

  test("errors of a rule or an updater go to the client's onError, and the next is made", async () => {
    const s = stage({
      ...calm,
      events: {
        COUNT: (n) => {
          if (n === 1) throw new Error("rule");
          return update(["n"], (old: number[]) => {
            if (n === 2) throw new Error("updater");
            return [...old, n];
          });
        },
      },
    });
    await s.show(["n"], []);
    await s.up();
    for (let i = 1; i <= 3; i++) s.socket.event("COUNT", i, i);
    await settle();
    expect(s.data(["n"])).toEqual([3]);
    expect(s.errors).toEqual([new Error("rule"), new Error("updater")]);
  });
});

describe("rules", () => {
  test("get payload and meta; may return several targets, or none", async () => {
    const rule = vi.fn((n: number) => {
      if (n === 2) return [update(["a"], () => n), { queryKey: ["b"] }];
      return undefined;
    });
    const s = stage({ ...calm, events: { COUNT: rule } });
    await s.show(["a"], 0);
    await s.show(["b"], 0);
    await s.up();
    s.socket.event("COUNT", 1, 1);
    s.socket.event("COUNT", 2, 2);
    await pass(250);
    expect(rule.mock.calls[1]).toMatchObject([2, { type: "COUNT", timestamp: ts(2), replayed: false }]);
    expect(s.data(["a"])).toBe(2);
    expect(s.fetches.map((f) => f.key)).toEqual([["b"]]);
  });

  test("of a prefix", async () => {
    const s = stage({ ...calm, events: { "PENDING_*": { queryKey: orders } } });
    await s.show(orders, []);
    await s.up();
    s.socket.event("COUNT", 1, 1);
    await pass(250);
    expect(s.fetches).toHaveLength(0);
    s.socket.event("PENDING_DELETED", 2, { orderIds: ["1"], count: 1 });
    await pass(250);
    expect(s.fetches).toHaveLength(1);
  });

  test("what queryOptions made is a target", async () => {
    const options = queryOptions({ queryKey: orders, queryFn: (): Order[] => [] });
    const s = stage({
      ...calm,
      events: {
        PENDING_DELETED: options,
        PENDING_CREATED: ({ order }) => update(options.queryKey, (old) => [...old, order]),
      },
    });
    await s.show(orders, []);
    await s.up();
    s.socket.event("PENDING_CREATED", 1, { order: { id: "1" } });
    s.socket.event("PENDING_DELETED", 2, { orderIds: ["9"], count: 1 });
    await pass(250);
    expect(s.data(orders)).toEqual([{ id: "1" }]);
    expect(s.fetches).toHaveLength(1);
  });
});
