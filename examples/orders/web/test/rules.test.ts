import { expect, test } from "vitest";
import { ordersSaved, recordDeleted, recordSaved } from "../src/answers.ts";
import type { HistoryPage } from "../src/api.ts";
import { type EventMap, eventClasses } from "../src/events.gen.ts";
import { historyLimit } from "../src/queries.ts";
import { createRules } from "../src/rules.ts";
import { at, bound, customer, job, notification, pendingOrder, record, submittedOrder } from "./kit.ts";

// What each event does to what the page shows, through the real binding.

test("every event of the catalogue that is kept is heard by a rule, and none that is not there", () => {
  const { queries, cache, memory } = bound();
  const heard = Object.keys(createRules(queries, cache, memory).events ?? {});
  const matches = (pattern: string, type: string) =>
    pattern === type || (pattern.endsWith("*") && type.startsWith(pattern.slice(0, -1)));
  const types = Object.keys(eventClasses) as (keyof EventMap)[];
  const kept = types.filter((type) => eventClasses[type] === "buffered");
  // It comes together with ORDER_UPDATED, which has the row; the page says in a message that it has come.
  const elsewhere = ["ORDER_EDIT_COMPLETE"];
  expect(kept.filter((type) => !heard.some((pattern) => matches(pattern, type)))).toEqual(elsewhere);
  expect(heard.filter((pattern) => !types.some((type) => matches(pattern, type)))).toEqual([]);
});

test("PENDING_CREATED puts new orders on top, once, and without a fetch", async () => {
  const { cache, queries, emit, doubtful } = bound();
  const { queryKey } = queries.pending;
  cache.setQueryData(queryKey, [pendingOrder("a", 1)]);
  const orders = [pendingOrder("b", 2), pendingOrder("c", 3)];
  for (const _ of [1, 2]) await emit("PENDING_CREATED", { orderIds: ["b", "c"], count: 2, orders });
  expect(cache.getQueryData(queryKey)?.map(({ id }) => id)).toEqual(["c", "b", "a"]);
  expect(doubtful(queryKey)).toBe(false);
});

test("events about more orders than they carry have the list fetched", async () => {
  for (const type of ["PENDING_CREATED", "PENDING_UPDATED"] as const) {
    const { cache, queries, emit, doubtful } = bound();
    cache.setQueryData(queries.pending.queryKey, [pendingOrder("a", 1)]);
    await emit(type, { orderIds: ["b"], count: 50, orders: null });
    expect(doubtful(queries.pending.queryKey)).toBe(true);
  }
});

test("PENDING_UPDATED changes what is there, and not to what it was before", async () => {
  const { cache, queries, emit } = bound();
  const { queryKey } = queries.pending;
  cache.setQueryData(queryKey, [pendingOrder("a", 5, { note: "saved here" })]);
  const change = (n: number, note: string) =>
    emit("PENDING_UPDATED", {
      orderIds: ["a"],
      count: 1,
      orders: [pendingOrder("a", n, { note })],
    });
  await change(4, "another device's, saved before");
  expect(cache.getQueryData(queryKey)).toEqual([pendingOrder("a", 5, { note: "saved here" })]);
  await change(6, "another device's, saved after");
  expect(cache.getQueryData(queryKey)?.map(({ note }) => note)).toEqual(["another device's, saved after"]);
});

test("a change that overtakes the creation stays, and the place of the row is asked for", async () => {
  const { cache, queries, emit, doubtful } = bound();
  const { queryKey } = queries.pending;
  cache.setQueryData(queryKey, []);
  const changed = pendingOrder("a", 5, { note: "changed" });
  await emit("PENDING_UPDATED", { orderIds: ["a"], count: 1, orders: [changed] });
  await emit("PENDING_CREATED", { orderIds: ["a"], count: 1, orders: [pendingOrder("a", 4)] });
  expect(cache.getQueryData(queryKey)).toEqual([changed]);
  expect(doubtful(queryKey)).toBe(true);
});

test("a number that overtakes its order is fetched, and no order loses it to an event that comes twice", async () => {
  const { cache, queries, emit, doubtful } = bound();
  const { queryKey } = queries.submitted;
  cache.setQueryData(queryKey, []);
  const resolved = { pendingOrderId: "p", orderId: "o", orderNumber: "25/7", customerId: "c1", customerName: "Ada" };
  const submitted = () =>
    emit("PENDING_SUBMITTED", { pendingOrderId: "p", orderId: "o", order: submittedOrder("o", 2) });
  await emit("ORDER_NUMBERS_RESOLVED", resolved);
  expect(doubtful(queryKey)).toBe(true);
  await submitted();
  await emit("ORDER_NUMBERS_RESOLVED", resolved);
  await submitted();
  expect(cache.getQueryData(queryKey)).toEqual([submittedOrder("o", 2, { orderNumber: "25/7" })]);
});

test("what another device has deleted before the answer came does not come back by it", async () => {
  const page = bound();
  const { cache, queries, emit } = page;
  cache.setQueryData(queries.pending.queryKey, []);
  await emit("PENDING_DELETED", { orderIds: ["a"], count: 1 });
  await ordersSaved(page, [pendingOrder("a", 1)], []);
  expect(cache.getQueryData(queries.pending.queryKey)).toEqual([]);
  cache.setQueryData<HistoryPage>(["history", 0], { total: 0, rows: [] });
  await emit("FRESIS_HISTORY_DELETED", { recordId: "h" });
  await recordSaved(page, record("h", 1), true);
  await recordDeleted(page, "i");
  await emit("FRESIS_HISTORY_CREATED", { recordId: "i", record: record("i", 2) });
  expect(cache.getQueryData(["history", 0])).toEqual({ total: 0, rows: [] });
});

test("notifications stand by when they were made, whichever was told first", async () => {
  const { cache, queries, emit } = bound();
  const { queryKey } = queries.notifications;
  cache.setQueryData(queryKey, { unread: 1, revision: 1, rows: [notification("b", false, 7)] });
  await emit("NOTIFICATION_NEW", { notification: notification("a", false, 5), unread: 2, revision: 2 });
  expect(cache.getQueryData(queryKey)?.rows.map(({ id }) => id)).toEqual(["b", "a"]);
});

test("a notification that comes after all were read is fetched: it may be one of them", async () => {
  const { cache, queries, emit, doubtful } = bound();
  const { queryKey } = queries.notifications;
  cache.setQueryData(queryKey, { unread: 0, revision: 1, rows: [] });
  await emit("NOTIFICATION_READ", { ids: null as unknown as string[], unread: 0, revision: 3 });
  await emit("NOTIFICATION_NEW", { notification: notification("n"), unread: 1, revision: 2 });
  expect(cache.getQueryData(queryKey)).toEqual({ unread: 0, revision: 3, rows: [] });
  expect(doubtful(queryKey)).toBe(true);
});

test("what this page has deleted does not come back by an event from before", async () => {
  const { cache, queries, memory, emit } = bound();
  cache.setQueryData(queries.pending.queryKey, []);
  cache.setQueryData<HistoryPage>(["history", 0], { total: 0, rows: [] });
  memory.gone.add("a");
  await emit("PENDING_CREATED", { orderIds: ["a"], count: 1, orders: [pendingOrder("a", 1)] });
  await emit("FRESIS_HISTORY_CREATED", { recordId: "a", record: record("a", 1) });
  expect(cache.getQueryData(queries.pending.queryKey)).toEqual([]);
  expect(cache.getQueryData(["history", 0])).toEqual({ total: 0, rows: [] });
});

test("what another page has deleted or submitted does not come back by an event from before", async () => {
  const { cache, queries, emit } = bound();
  cache.setQueryData(queries.pending.queryKey, []);
  cache.setQueryData(queries.submitted.queryKey, []);
  cache.setQueryData<HistoryPage>(["history", 0], { total: 0, rows: [] });
  await emit("PENDING_DELETED", { orderIds: ["a", "b"], count: 2 });
  await emit("PENDING_SUBMITTED", { pendingOrderId: "c", orderId: "o", order: submittedOrder("o", 2) });
  await emit("ORDER_DELETE_COMPLETE", { orderId: "o" });
  await emit("PENDING_SUBMITTED", { pendingOrderId: "c", orderId: "o", order: submittedOrder("o", 2) });
  expect(cache.getQueryData(queries.submitted.queryKey)).toEqual([]);
  await emit("FRESIS_HISTORY_DELETED", { recordId: "d" });
  const orders = ["a", "b", "c"].map((id) => pendingOrder(id, 1));
  await emit("PENDING_CREATED", { orderIds: ["a", "b", "c"], count: 3, orders });
  await emit("FRESIS_HISTORY_CREATED", { recordId: "d", record: record("d", 1) });
  expect(cache.getQueryData(queries.pending.queryKey)).toEqual([]);
  expect(cache.getQueryData(["history", 0])).toEqual({ total: 0, rows: [] });
});

test("PENDING_DELETED takes orders away", async () => {
  const { cache, queries, emit } = bound();
  cache.setQueryData(
    queries.pending.queryKey,
    ["a", "b", "c"].map((id) => pendingOrder(id, 1)),
  );
  await emit("PENDING_DELETED", { orderIds: ["a", "c"], count: 2 });
  expect(cache.getQueryData(queries.pending.queryKey)?.map(({ id }) => id)).toEqual(["b"]);
});

test("PENDING_SUBMITTED moves an order from one list to the other, ORDER_NUMBERS_RESOLVED gives it its number", async () => {
  const { cache, queries, emit } = bound();
  cache.setQueryData(queries.pending.queryKey, [pendingOrder("p", 1), pendingOrder("q", 1)]);
  cache.setQueryData(queries.submitted.queryKey, [submittedOrder("old", 1)]);
  for (const _ of [1, 2])
    await emit("PENDING_SUBMITTED", { pendingOrderId: "p", orderId: "o", order: submittedOrder("o", 2) });
  expect(cache.getQueryData(queries.pending.queryKey)?.map(({ id }) => id)).toEqual(["q"]);
  expect(cache.getQueryData(queries.submitted.queryKey)?.map(({ orderId }) => orderId)).toEqual(["o", "old"]);
  const resolved = { pendingOrderId: "p", orderId: "o", orderNumber: "25/7", customerId: "c1", customerName: "Ada" };
  await emit("ORDER_NUMBERS_RESOLVED", resolved);
  expect(cache.getQueryData(queries.submitted.queryKey)?.map(({ orderNumber }) => orderNumber)).toEqual(["25/7", null]);
});

test("ORDER_UPDATED and ORDER_DELETE_COMPLETE change the submitted orders", async () => {
  const { cache, queries, emit } = bound();
  const { queryKey } = queries.submitted;
  cache.setQueryData(queryKey, [submittedOrder("a", 1), submittedOrder("b", 1)]);
  await emit("ORDER_UPDATED", { orderId: "a", order: submittedOrder("a", 2, { status: "editing", jobId: "j" }) });
  expect(cache.getQueryData(queryKey)?.map(({ status }) => status)).toEqual(["editing", "submitted"]);
  await emit("ORDER_DELETE_COMPLETE", { orderId: "a" });
  expect(cache.getQueryData(queryKey)?.map(({ orderId }) => orderId)).toEqual(["b"]);
});

test("FRESIS_HISTORY_CREATED goes on top of the first page, once; the other pages are fetched", async () => {
  const { cache, emit, doubtful } = bound();
  const rows = Array.from({ length: historyLimit }, (_, i) => record(`r${i}`, 100 - i));
  cache.setQueryData<HistoryPage>(["history", 0], { total: 30, rows });
  cache.setQueryData<HistoryPage>(["history", 20], { total: 30, rows: [record("z", 1)] });
  for (const _ of [1, 2]) await emit("FRESIS_HISTORY_CREATED", { recordId: "new", record: record("new", 200) });
  const page = cache.getQueryData<HistoryPage>(["history", 0]);
  expect(page?.total).toBe(31);
  expect(page?.rows.map(({ id }) => id)).toEqual(["new", ...rows.slice(0, -1).map(({ id }) => id)]);
  expect(doubtful(["history", 0])).toBe(false);
  expect(doubtful(["history", 20])).toBe(true);
});

test("a record whose creation is replayed after newer ones are shown has no place known: the page is fetched", async () => {
  const { cache, emit, doubtful } = bound();
  cache.setQueryData<HistoryPage>(["history", 0], { total: 30, rows: [record("newest", 300)] });
  await emit("FRESIS_HISTORY_CREATED", { recordId: "old", record: record("old", 2) });
  expect(cache.getQueryData<HistoryPage>(["history", 0])?.total).toBe(30);
  expect(doubtful(["history", 0])).toBe(true);
});

test("FRESIS_HISTORY_UPDATED, _DELETED and _BULK_IMPORTED reach every page", async () => {
  const { cache, emit, doubtful } = bound();
  cache.setQueryData<HistoryPage>(["history", 0], { total: 3, rows: [record("a", 3), record("b", 2)] });
  cache.setQueryData<HistoryPage>(["history", 20], { total: 3, rows: [record("c", 1)] });
  await emit("FRESIS_HISTORY_UPDATED", { recordId: "c", record: record("c", 4, { article: "Ink" }) });
  expect(cache.getQueryData<HistoryPage>(["history", 20])?.rows[0]?.article).toBe("Ink");
  expect(doubtful(["history", 20])).toBe(false);
  for (const _ of [1, 2]) await emit("FRESIS_HISTORY_DELETED", { recordId: "a" });
  expect(cache.getQueryData<HistoryPage>(["history", 0])).toEqual({ total: 2, rows: [record("b", 2)] });
  expect(doubtful(["history", 20])).toBe(true);

  const other = bound();
  other.cache.setQueryData<HistoryPage>(["history", 0], { total: 1, rows: [record("a", 3)] });
  await other.emit("FRESIS_HISTORY_BULK_IMPORTED", { count: 500 });
  expect(other.doubtful(["history", 0])).toBe(true);
});

test("CUSTOMER_UPDATE_COMPLETED brings the row, CUSTOMER_UPDATE_FAILED frees it", async () => {
  const { cache, queries, emit, doubtful } = bound();
  const { queryKey } = queries.customers;
  cache.setQueryData(queryKey, [customer("a", 1, { jobId: "j" }), customer("b", 1, { jobId: "k" })]);
  await emit("CUSTOMER_UPDATE_COMPLETED", { customerId: "a", customer: customer("a", 2, { name: "Bea" }) });
  expect(doubtful(queryKey)).toBe(false);
  await emit("CUSTOMER_UPDATE_FAILED", { customerId: "b", error: "refused" });
  expect(cache.getQueryData(queryKey)).toEqual([customer("a", 2, { name: "Bea" }), customer("b", 1)]);
  expect(doubtful(queryKey)).toBe(true);
});

test("a sync's end has fetched what it wrote, and nothing else", async () => {
  const lists = ["syncs", "customers", "submitted"] as const;
  const cases = [
    ["SYNC_COMPLETED", "customers", ["syncs", "customers"]],
    ["SYNC_COMPLETED", "orders", ["syncs", "submitted"]],
    ["SYNC_COMPLETED", "prices", ["syncs"]],
    ["SYNC_FAILED", "customers", ["customers"]],
    ["SYNC_FAILED", "orders", ["submitted"]],
    ["SYNC_FAILED", "products", []],
  ] as const;
  for (const [type, syncType, want] of cases) {
    const { cache, queries, emit, doubtful } = bound();
    for (const name of lists) cache.setQueryData<unknown[]>(queries[name].queryKey, []);
    await emit(type, { syncType, jobId: "j", processed: 1, total: 1, error: "" });
    expect([type, syncType, lists.filter((name) => doubtful(queries[name].queryKey))]).toEqual([type, syncType, want]);
  }
});

test("the counter of notifications is the newest event's, however often and in whichever order they come", async () => {
  const { cache, queries, emit } = bound();
  const { queryKey } = queries.notifications;
  cache.setQueryData(queryKey, { unread: 1, revision: 1, rows: [notification("n1")] });
  const news = (n: number) =>
    emit("NOTIFICATION_NEW", { notification: notification(`n${n}`, false, n), unread: n, revision: n });
  await news(2);
  await news(3);
  for (const n of [2, 3, 3]) await news(n); // replayed
  expect(cache.getQueryData(queryKey)).toMatchObject({ unread: 3, revision: 3 });
  expect(cache.getQueryData(queryKey)?.rows.map(({ id }) => id)).toEqual(["n3", "n2", "n1"]);

  await emit("NOTIFICATION_READ", { ids: ["n2"], unread: 2, revision: 4 });
  await news(3); // it was told before, and comes after
  expect(cache.getQueryData(queryKey)?.unread).toBe(2);
  expect(cache.getQueryData(queryKey)?.rows.map(({ read }) => read)).toEqual([false, true, false]);
  await emit("NOTIFICATION_READ", { ids: null, unread: 0, revision: 5 });
  expect(cache.getQueryData(queryKey)?.unread).toBe(0);
  expect(cache.getQueryData(queryKey)?.rows.every(({ read }) => read)).toBe(true);
});

test("that all were read, heard after a newer notification, has the list fetched", async () => {
  const { cache, queries, emit, doubtful } = bound();
  const { queryKey } = queries.notifications;
  cache.setQueryData(queryKey, { unread: 1, revision: 4, rows: [notification("old")] });
  // In one burst: the binding writes the first only after the second has come.
  const news = emit("NOTIFICATION_NEW", { notification: notification("new"), unread: 1, revision: 6 });
  await emit("NOTIFICATION_READ", { ids: null, unread: 0, revision: 5 });
  await news;
  expect(cache.getQueryData(queryKey)).toEqual({
    unread: 1,
    revision: 6,
    rows: [notification("new"), notification("old")],
  });
  expect(doubtful(queryKey)).toBe(true);
});

test("that all were read, heard in its turn or again, has nothing fetched", async () => {
  const { cache, queries, emit, doubtful } = bound();
  const { queryKey } = queries.notifications;
  cache.setQueryData(queryKey, { unread: 1, revision: 4, rows: [notification("old")] });
  for (const _ of [1, 2]) await emit("NOTIFICATION_READ", { ids: null, unread: 0, revision: 5 });
  expect(cache.getQueryData(queryKey)).toEqual({ unread: 0, revision: 5, rows: [notification("old", true)] });
  expect(doubtful(queryKey)).toBe(false);
});

test("JOB_* follow a job to its end; one that nobody knows has the list fetched", async () => {
  const { cache, queries, emit, doubtful } = bound();
  const { queryKey } = queries.jobs;
  cache.setQueryData(queryKey, [job("old", { status: "failed" })]);
  const of = { jobId: "j", type: "submitOrder", entityId: "p1", entityName: "Ada" };
  const seen: unknown[] = [];
  const look = () => seen.push(cache.getQueryData(queryKey)?.find(({ id }) => id === "j")?.status);
  await emit("JOB_QUEUED", of);
  look();
  await emit("JOB_STARTED", of);
  look();
  expect(doubtful(queryKey)).toBe(false);
  await emit("JOB_RETRYING", {
    jobId: "j",
    type: "submitOrder",
    attempt: 2,
    maxAttempts: 3,
    delayMs: 10,
    error: "slow",
  });
  look();
  await emit("JOB_COMPLETED", { jobId: "j", type: "submitOrder", result: null });
  look();
  await emit("JOB_STARTED", of); // replayed: the end is the end
  look();
  expect(seen).toEqual(["queued", "running", "retrying", "completed", "completed"]);
  await emit("JOB_REQUEUED", { originalJobId: "old", newJobId: "again" });
  await emit("JOB_QUEUED", { ...of, jobId: "again" });
  expect(cache.getQueryData(queryKey)?.[0]).toMatchObject({ id: "again", originalJobId: "old", type: "submitOrder" });

  const other = bound();
  other.cache.setQueryData(queryKey, []);
  await other.emit("JOB_FAILED", { jobId: "unheard", type: "submitOrder", error: "no" });
  expect(other.doubtful(queryKey)).toBe(true);
});

test("JOB_PROGRESS does not touch the list: it would be drawn anew many times a second", async () => {
  const { cache, queries, emit } = bound();
  const jobs = [job("j", { status: "running" })];
  cache.setQueryData(queries.jobs.queryKey, jobs);
  const changes: string[] = [];
  cache.getQueryCache().subscribe(({ type }) => changes.push(type));
  await emit("JOB_PROGRESS", { jobId: "j", type: "submitOrder", progress: 50, label: "half" }, at(9));
  expect(cache.getQueryData(queries.jobs.queryKey)).toBe(jobs);
  expect(changes).toEqual([]);
});
