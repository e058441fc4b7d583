import type { QueryClient } from "@tanstack/react-query";
import { type BindOptions, type Rules, type Target, update } from "@usercast/client/query";
import type { HistoryPage, Notifications, Unread } from "./api.ts";
import type {
  EventMap,
  HistoryRecord,
  Notification,
  PendingOrder,
  PendingOrders,
  SubmittedOrder,
} from "./events.gen.ts";
import { afterJobEvent, type Job, type JobEvent } from "./jobs.ts";
import { historyLimit, type Queries } from "./queries.ts";
import { type Gone, isOlder, put, replace, without } from "./rows.ts";

const pendingId = ({ id }: PendingOrder) => id;
const submittedId = ({ orderId }: SubmittedOrder) => orderId;
const historyId = ({ id }: HistoryRecord) => id;

/**
 * What each event means for what the page shows. Where an event carries the rows they are
 * put in place and nothing is fetched; where it only says that there are some, the list is
 * fetched, once for a burst. Each may come twice, and after a newer answer of the server's.
 * Progress is in no list: see useBar and syncs.ts.
 */
export function createRules(queries: Queries, cache: QueryClient, gone: Gone): BindOptions<EventMap> {
  return {
    events: {
      ...orderRules(queries, gone),
      ...historyRules(cache, gone),
      ...jobRules(queries, cache),
      ...otherRules(queries, cache),
    },
  };
}

function orderRules({ pending, submitted }: Queries, gone: Gone): Rules<EventMap> {
  const changed = ({ orders }: PendingOrders, place: typeof put<PendingOrder>): Target =>
    orders
      ? update(pending.queryKey, (old) =>
          orders.filter(({ id }) => !gone.has(id)).reduce((rows, order) => place(rows, order, pendingId), old),
        )
      : pending;
  // For good: their creation by a third device may be told only after it.
  const left = (ids: readonly string[]): Target => {
    for (const id of ids) gone.add(id);
    return update(pending.queryKey, (old) => without(old, ids, pendingId));
  };
  return {
    PENDING_CREATED: (payload) => changed(payload, put),
    PENDING_UPDATED: (payload) => changed(payload, replace),
    PENDING_DELETED: ({ orderIds }) => left(orderIds ?? []),
    PENDING_SUBMITTED: ({ pendingOrderId, order }) => [
      left([pendingOrderId]),
      update(submitted.queryKey, (old) => put(old, order, submittedId)),
    ],
    ORDER_NUMBERS_RESOLVED: ({ orderId, orderNumber }) =>
      update(submitted.queryKey, (old) => old.map((row) => (row.orderId === orderId ? { ...row, orderNumber } : row))),
    ORDER_UPDATED: ({ order }) => update(submitted.queryKey, (old) => replace(old, order, submittedId)),
    ORDER_DELETE_COMPLETE: ({ orderId }) => update(submitted.queryKey, (old) => without(old, [orderId], submittedId)),
  };
}

/** A target for every page of the history that has been looked at. */
const historyPages = (change: (old: HistoryPage) => HistoryPage): Target => ({
  queryKey: ["history"],
  update: change as (old: never) => unknown,
});

function historyRules(cache: QueryClient, gone: Gone): Rules<EventMap> {
  const history: Target = { queryKey: ["history"] };
  return {
    // The first page knows where a new record goes, if it is the newest; the others move by one.
    FRESIS_HISTORY_CREATED: ({ record }) => {
      if (gone.has(record.id)) return undefined;
      const first = cache.getQueryData<HistoryPage>(["history", 0]);
      const top = first?.rows[0];
      if (!first || (top && isOlder(record, top))) return history;
      const others = cache
        .getQueryCache()
        .findAll({ queryKey: ["history"] })
        .filter(({ queryKey }) => queryKey[1] !== 0);
      const top1 = update<HistoryPage>(["history", 0], (old) => addRecord(old, record));
      return [top1, ...others.map(({ queryKey }) => ({ queryKey, exact: true }))];
    },
    FRESIS_HISTORY_UPDATED: ({ record }) =>
      historyPages((old) => ({ ...old, rows: replace(old.rows, record, historyId) })),
    // The record that moves up from the next page has to be fetched.
    FRESIS_HISTORY_DELETED: ({ recordId }) => {
      gone.add(recordId);
      return [historyPages((old) => dropRecord(old, recordId)), history];
    },
    FRESIS_HISTORY_BULK_IMPORTED: history,
  };
}

/** The first page with a new record on top. */
export function addRecord(page: HistoryPage, record: HistoryRecord): HistoryPage {
  if (page.rows.some(({ id }) => id === record.id)) return { ...page, rows: replace(page.rows, record, historyId) };
  return { total: page.total + 1, rows: [record, ...page.rows].slice(0, historyLimit) };
}

/** A page without a record, if it has it. */
export function dropRecord(page: HistoryPage, id: string): HistoryPage {
  const rows = without(page.rows, [id], historyId);
  return { total: page.total - (page.rows.length - rows.length), rows };
}

function jobRules({ jobs }: Queries, cache: QueryClient): Rules<EventMap> {
  return {
    "JOB_*": (payload, { type, timestamp }) => {
      if (type === "JOB_PROGRESS") return undefined;
      const after = (old: readonly Job[]) => afterJobEvent(old, type as JobEvent, payload as never, timestamp);
      const known = cache.getQueryData(jobs.queryKey);
      const change = update(jobs.queryKey, (old) => after(old) ?? undefined);
      // A job that is not in the list, unless an event that is being written adds it: fetch it.
      return known && !after(known) ? [change, jobs] : change;
    },
  };
}

function otherRules({ customers, notifications, syncs, submitted }: Queries, cache: QueryClient): Rules<EventMap> {
  const free = (id: string): Target =>
    update(customers.queryKey, (old) => old.map((row) => (row.id === id ? { ...row, jobId: null } : row)));
  return {
    CUSTOMER_UPDATE_COMPLETED: ({ customer }) =>
      update(customers.queryKey, (old) => replace(old, customer, ({ id }) => id)),
    // It says which, and not what the row is like now.
    CUSTOMER_UPDATE_FAILED: ({ customerId }) => [free(customerId), customers],
    SYNC_COMPLETED: ({ syncType }) =>
      syncType === "customers" ? [syncs, customers] : syncType === "orders" ? [syncs, submitted] : syncs,
    // What it had got until then stays.
    SYNC_FAILED: ({ syncType }) =>
      syncType === "customers" ? customers : syncType === "orders" ? submitted : undefined,
    NOTIFICATION_NEW: ({ notification, unread, revision }) =>
      update(notifications.queryKey, (old) => {
        const { rows, ...before } = old;
        return { ...newerUnread(before, { unread, revision }), rows: addNotification(rows, notification) };
      }),
    NOTIFICATION_READ: ({ ids, unread, revision }) =>
      update(notifications.queryKey, (old) => {
        const now = readNotifications(old, ids, { unread, revision });
        // Here, because only here it is known what events before this one have made of the list.
        if (!now) cache.invalidateQueries(notifications);
        return now;
      }),
  };
}

/** Nobody counts: events and answers say how many are unread, and the revision says which of them is the newest. */
const newerUnread = (old: Unread, now: Unread): Unread => (now.revision > old.revision ? now : old);

/**
 * The list after some were read; null: after all were. undefined: all were, but before what
 * is shown, and nothing here says which of the rows were there already.
 */
export function readNotifications(
  old: Notifications,
  ids: readonly string[] | null,
  now: Unread,
): Notifications | undefined {
  if (!ids && now.revision < old.revision) return undefined;
  const { unread, revision } = newerUnread(old, now);
  const rows = old.rows.map((row) => (!ids || ids.includes(row.id) ? { ...row, read: true } : row));
  return { unread, revision, rows };
}

/** As many as the server lists. */
const maxNotifications = 100;

function addNotification(rows: readonly Notification[], row: Notification): Notification[] {
  // One that is there may have been read since.
  return rows.some(({ id }) => id === row.id) ? [...rows] : [row, ...rows].slice(0, maxNotifications);
}
