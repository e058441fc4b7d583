import {
  accepted,
  customerLocked,
  notificationsRead,
  orderLocked,
  ordersDeleted,
  ordersSaved,
  recordDeleted,
  recordLocked,
  recordSaved,
  submittedLocked,
} from "../../src/answers.ts";
import type { Customer, HistoryRecord, PendingOrder, SubmittedOrder } from "../../src/events.gen.ts";
import { pendingOrder, record } from "../kit.ts";
import { begin } from "./jobs.ts";
import type { Page } from "./page.ts";
import type { Random, Server, Told } from "./server.ts";

/** What somebody has done: what is told of it, and what the answer does on the page that has done it. */
export interface Done {
  readonly told: readonly Told[];
  readonly answer: (page: Page) => unknown;
}

/** own: the page does it, with the rows that it shows, and hears nothing of it but what is always told. */
export type Act = (server: Server, page: Page | null) => Done | null;

const pick = <T>(random: Random, of: readonly T[]): T | undefined => of[random(of.length || 1)];
const some = <T>(random: Random, of: readonly T[]) => of.filter(() => random(3) === 0);
const free = (rows: readonly PendingOrder[]) => rows.filter(({ status }) => status !== "submitting");
const unless = (own: unknown, ...told: Told[]) => (own ? [] : told);

/** Events carry 20 rows at most. */
const carried = (orders: PendingOrder[]) => ({
  orderIds: orders.map(({ id }) => id),
  count: orders.length,
  orders: orders.length > 20 ? (null as unknown as PendingOrder[]) : orders,
});

export const createOrders: Act = (server, own) => {
  const count = pick(server.random, [1, 1, 1, 2, 3, 21]) ?? 1;
  const orders = Array.from({ length: count }, () => {
    const id = server.id("p");
    const order = { ...pendingOrder(id, 0, { note: id }), updatedAt: server.make(id) };
    server.pending.set(id, order);
    return order;
  });
  return {
    told: unless(own, { type: "PENDING_CREATED", payload: carried(orders) }),
    answer: (page) => ordersSaved(page, orders, []),
  };
};

export const updateOrders: Act = (server, own) => {
  const ids = some(server.random, free([...server.pending.values()])).map(({ id }) => id);
  if (!ids.length) return null;
  const orders = ids.map((id) =>
    server.change("pending", id, { note: server.id("note"), status: "pending", jobId: null }),
  );
  return {
    told: unless(own, { type: "PENDING_UPDATED", payload: carried(orders) }),
    answer: (page) => ordersSaved(page, orders, ids),
  };
};

export const deleteOrders: Act = (server, own) => {
  const ids = some(server.random, free([...server.pending.values()])).map(({ id }) => id);
  if (!ids.length) return null;
  for (const id of ids) server.pending.delete(id);
  return {
    told: unless(own, { type: "PENDING_DELETED", payload: { orderIds: ids, count: ids.length } }),
    answer: (page) => ordersDeleted(page, ids),
  };
};

/** Queues a job. lock shows its row as being at work. */
function enqueue(
  server: Server,
  own: Page | null,
  of: { type: string; entityId: string; entityName: string },
  lock: (page: Page, jobId: string) => unknown,
): Done {
  const job = server.queue(of.type, of.entityId, of.entityName);
  return {
    told: [...begin(server, job), ...unless(own, { type: "JOB_QUEUED", payload: { jobId: job.id, ...of } })],
    async answer(page) {
      await lock(page, job.id);
      await accepted(page, job.id, of);
    },
  };
}

export const submit: Act = (server, own) => {
  const order = pick(server.random, free(own ? own.shown("pending") : [...server.pending.values()]));
  const now = order && server.pending.get(order.id);
  if (!now || now.status === "submitting") return null;
  const of = { type: "submitOrder", entityId: order.id, entityName: "Ada" };
  return enqueue(server, own, of, (page, jobId) => orderLocked(page, order, jobId));
};

export const workOnOrder: Act = (server, own) => {
  const rows: SubmittedOrder[] = own ? own.shown("submitted") : [...server.submitted.values()];
  const order = pick(server.random, rows);
  if (!order || server.submitted.get(order.orderId)?.status !== "submitted") return null;
  const edits = server.random(2) === 0;
  const of = { type: edits ? "editOrder" : "deleteOrder", entityId: order.orderId, entityName: "Ada" };
  const status = edits ? "editing" : "deleting";
  return enqueue(server, own, of, (page, jobId) => submittedLocked(page, order, { status, jobId }));
};

const shownRecord = (server: Server, own: Page | null): HistoryRecord | undefined => {
  const rows = own ? own.shownHistory(0).rows : [...server.history.values()];
  const shown = pick(server.random, rows);
  const now = shown && server.history.get(shown.id);
  return now && !now.jobId ? shown : undefined;
};

export const workOnRecord: Act = (server, own) => {
  const shown = shownRecord(server, own);
  if (!shown) return null;
  const type = server.random(2) ? "editHistory" : "deleteHistory";
  const of = { type, entityId: shown.id, entityName: shown.article };
  return enqueue(server, own, of, (page, jobId) => recordLocked(page, shown, jobId));
};

export const createRecord: Act = (server, own) => {
  const id = server.id("h");
  const made = { ...record(id, 0), updatedAt: server.make(id) };
  server.history.set(id, made);
  return {
    told: unless(own, { type: "FRESIS_HISTORY_CREATED", payload: { recordId: id, record: made } }),
    answer: (page) => recordSaved(page, made, true),
  };
};

export const updateRecord: Act = (server, own) => {
  const shown = shownRecord(server, own);
  if (!shown) return null;
  const changed = server.change("history", shown.id, { article: server.id("article") });
  return {
    told: unless(own, { type: "FRESIS_HISTORY_UPDATED", payload: { recordId: shown.id, record: changed } }),
    answer: (page) => recordSaved(page, changed, false),
  };
};

export const deleteRecord: Act = (server, own) => {
  const shown = shownRecord(server, own);
  if (!shown) return null;
  server.history.delete(shown.id);
  return {
    told: unless(own, { type: "FRESIS_HISTORY_DELETED", payload: { recordId: shown.id } }),
    answer: (page) => recordDeleted(page, shown.id),
  };
};

export const importRecords: Act = (server) => {
  for (let i = 0; i < 15; i++) {
    const id = server.id("h");
    server.history.set(id, { ...record(id, 0), updatedAt: server.make(id) });
  }
  const told: Told = { type: "FRESIS_HISTORY_BULK_IMPORTED", payload: { count: 15 } };
  return { told: [told, server.notify("imported")], answer: () => {} };
};

export const updateCustomer: Act = (server, own) => {
  const rows: Customer[] = own ? own.shown("customers") : [...server.customers.values()];
  const shown = pick(server.random, rows);
  if (!shown || server.customers.get(shown.id)?.jobId !== null) return null;
  const of = { type: "updateCustomer", entityId: shown.id, entityName: shown.name };
  return enqueue(server, own, of, (page, jobId) => customerLocked(page, shown, jobId));
};

export const sync: Act = (server, own) => {
  const [what, type] = server.random(2) ? ["customers", "syncCustomers"] : ["prices", "syncPrices"];
  if (server.active(type).length) return null;
  return enqueue(server, own, { type: type as string, entityId: what as string, entityName: what as string }, () => {});
};

const retry: Act = (server, own) => {
  const ended = [...server.jobs.values()].filter(({ status }) => status === "failed" || status === "cancelled");
  const job = pick(server.random, ended);
  if (job?.type !== "submitOrder") return null;
  const { type, entityId, entityName } = job;
  if (server.pending.get(entityId)?.status !== "failed") return null;
  const next = server.queue(type, entityId, entityName, job.id);
  const of = { type, entityId, entityName };
  return {
    told: [
      ...begin(server, next),
      ...unless(own, { type: "JOB_REQUEUED", payload: { originalJobId: job.id, newJobId: next.id } }),
      ...unless(own, { type: "JOB_QUEUED", payload: { jobId: next.id, ...of } }),
    ],
    answer: (page) => accepted(page, next.id, of, job.id),
  };
};

export const read: Act = (server, own) => {
  const { rows } = own ? own.shownNotifications() : server.notifications;
  const unread = rows.filter((row) => !row.read && server.notifications.rows.some(({ id }) => id === row.id));
  const row = pick(server.random, unread);
  if (!row) return null;
  const ids = server.random(3) ? [row.id] : null;
  const told = server.read(ids);
  const { unread: left, revision } = server.notifications;
  return { told: unless(own, told), answer: (page) => notificationsRead(page, ids, { unread: left, revision }) };
};

/** What people do. More often what has more ways to go wrong. */
export const acts: readonly Act[] = [
  createOrders,
  createOrders,
  updateOrders,
  deleteOrders,
  submit,
  submit,
  workOnOrder,
  workOnRecord,
  createRecord,
  createRecord,
  updateRecord,
  deleteRecord,
  importRecords,
  updateCustomer,
  sync,
  retry,
  read,
  read,
];
