import type { HistoryPage, Notifications, Unread } from "./api.ts";
import type {
  Customer,
  HistoryRecord,
  NewNotification,
  Notification,
  PendingOrder,
  SubmittedOrder,
} from "./events.gen.ts";
import { historyLimit } from "./queries.ts";
import { type Changed, isNewest, type Memory, micros, put, type Row, replace, surely, without } from "./rows.ts";

// What an event or an answer does to a list. Each may come early, late, or twice.

const idOf = ({ id }: { id: string }) => id;
const orderIdOf = ({ orderId }: SubmittedOrder) => orderId;

/** asMade: the order was just made, and not changed since. */
export function putPending(
  rows: readonly PendingOrder[],
  order: PendingOrder,
  { gone }: Memory,
  asMade: boolean,
): Changed<PendingOrder[]> {
  return gone.has(order.id) ? surely([...rows]) : put(rows, order, idOf, asMade);
}

export const dropPending = (rows: readonly PendingOrder[], ids: readonly string[]) => without(rows, ids, idOf);

export function putSubmitted(
  rows: readonly SubmittedOrder[],
  order: SubmittedOrder,
  { gone }: Memory,
  asMade: boolean,
): Changed<SubmittedOrder[]> {
  if (gone.has(order.orderId)) return surely([...rows]);
  // The event that brings the number does not say when the order was changed by it. No order loses it again.
  const shown = rows.find(({ orderId }) => orderId === order.orderId);
  return put(rows, { ...order, orderNumber: order.orderNumber ?? shown?.orderNumber ?? null }, orderIdOf, asMade);
}

export function numberSubmitted(
  rows: readonly SubmittedOrder[],
  id: string,
  orderNumber: string,
  { gone }: Memory,
): Changed<SubmittedOrder[]> {
  const data = rows.map((row) => (row.orderId === id ? { ...row, orderNumber } : row));
  return { data, sure: gone.has(id) || rows.some(({ orderId }) => orderId === id) };
}

export const dropSubmitted = (rows: readonly SubmittedOrder[], id: string) => without(rows, [id], orderIdOf);

/** The first page of the history with a new record, if it is known how the record is and that it is the newest. */
export function addRecord(page: HistoryPage, record: HistoryRecord, { gone, changed }: Memory): Changed<HistoryPage> {
  const { rows, total } = page;
  if (gone.has(record.id)) return surely(page);
  if (rows.some(({ id }) => id === record.id)) return surely(replaceRecord(page, record));
  if (changed.has(record.id) || !isNewest(rows, record)) return { data: page, sure: false };
  return surely({ total: total + 1, rows: [record, ...rows].slice(0, historyLimit) });
}

/** A page of the history with a record as it is now, if it has it. */
export const replaceRecord = (page: HistoryPage, record: HistoryRecord): HistoryPage => ({
  ...page,
  rows: replace(page.rows, record, idOf),
});

/** A page of the history without a record, if it has it. What moves up has to be fetched. */
export function dropRecord(page: HistoryPage, id: string): HistoryPage {
  const rows = page.rows.filter((row) => row.id !== id);
  return { total: page.total - (page.rows.length - rows.length), rows };
}

export const putCustomer = (rows: readonly Customer[], customer: Customer) => put(rows, customer, idOf, false);

/** A row that a job has been queued for, if no event has told more about it meanwhile. */
export function lock<T extends Row & { jobId: string | null }>(
  rows: readonly T[],
  row: T,
  to: Partial<T>,
  id: (row: T) => string,
): T[] {
  return rows.map((shown) =>
    id(shown) === id(row) && shown.updatedAt === row.updatedAt ? { ...shown, ...to } : shown,
  );
}

/** Nobody counts: events and answers say how many are unread, and the revision says which of them is the newest. */
const newerUnread = (old: Unread, now: Unread): Unread => (now.revision > old.revision ? now : old);

/** The list after some were read; null: after all were. */
export function readNotifications(
  old: Notifications,
  ids: readonly string[] | null,
  now: Unread,
): Changed<Notifications> {
  // All were, but before what is shown, and nothing here says which of the rows were there already.
  if (!ids && now.revision < old.revision) return { data: old, sure: false };
  const { unread, revision } = newerUnread(old, now);
  const rows = old.rows.map((row) => (!ids || ids.includes(row.id) ? { ...row, read: true } : row));
  return surely({ unread, revision, rows });
}

/** As many as the server lists, and keeps. */
const maxNotifications = 100;

const newestFirst = (a: Notification, b: Notification) =>
  micros(b.createdAt) - micros(a.createdAt) || (a.id < b.id ? -1 : 1);

/** The list with a new one. */
export function addNotification(old: Notifications, { notification, unread, revision }: NewNotification) {
  const known = old.rows.some(({ id }) => id === notification.id);
  // It comes late: whether it was read since nothing here says, if it is not in the list.
  if (revision <= old.revision) return { data: old, sure: known };
  const others = old.rows.filter(({ id }) => id !== notification.id);
  const rows = [notification, ...others].sort(newestFirst).slice(0, maxNotifications);
  return surely({ unread, revision, rows });
}
