import type { dataTagSymbol, QueryClient, QueryKey } from "@tanstack/react-query";
import { type BindOptions, type Rules, type Target, update } from "@usercast/client/query";
import type { HistoryPage } from "./api.ts";
import { createDoubt } from "./cache.ts";
import {
  addNotification,
  addRecord,
  dropPending,
  dropRecord,
  dropSubmitted,
  numberSubmitted,
  putCustomer,
  putPending,
  putSubmitted,
  readNotifications,
  replaceRecord,
} from "./changes.ts";
import type { EventMap, PendingOrders } from "./events.gen.ts";
import { afterJobEvent, type JobEvent } from "./jobs.ts";
import type { Queries } from "./queries.ts";
import { type Changed, inTurn, type Memory } from "./rows.ts";

/** A query, by what `queryOptions` has made of it. */
type Of<T> = { readonly queryKey: QueryKey & { readonly [dataTagSymbol]: T } };

/** `update`, and what the change cannot be sure of is fetched. */
type Change = <T>(query: Of<T>, change: (old: NoInfer<T>) => Changed<NoInfer<T>>) => Target;

/**
 * What each event means for what the page shows. Where an event carries the rows they are
 * put in place and nothing is fetched; where it only says that there are some, the list is
 * fetched, once for a burst. They may come twice, and after a newer answer of the server's.
 * Changes that do not depend on each other are told in any order, those of several processes
 * always, and what this page did itself it knows before all of them. So an event
 * that cannot be from this moment has the list fetched too. Only when it is carried out is
 * it known what those before it have made of the list: not when it is heard.
 * Progress is in no list: see useWork and syncs.ts.
 */
export function createRules(
  queries: Queries,
  cache: QueryClient,
  memory: Memory,
  collectMs = 250,
): BindOptions<EventMap> {
  const doubt = createDoubt(cache, collectMs);
  const change: Change = ({ queryKey }, change) =>
    update(queryKey, (old) => {
      const { data, sure } = change(old);
      if (!sure) doubt(queryKey);
      return data;
    });
  return {
    coalesceMs: collectMs,
    events: {
      ...orderRules(queries, memory, change),
      ...historyRules(queries, cache, memory, change),
      "JOB_*": jobRule(queries, change),
      ...otherRules(queries, change),
    },
  };
}

function orderRules({ pending, submitted }: Queries, memory: Memory, change: Change): Rules<EventMap> {
  const { gone } = memory;
  const changed = ({ orders }: PendingOrders, asMade: boolean): Target =>
    orders
      ? change(pending, (old) => inTurn(old, orders, (rows, order) => putPending(rows, order, memory, asMade)))
      : pending;
  // For good: their creation may be told only after it.
  const left = (ids: readonly string[]): Target => {
    for (const id of ids) gone.add(id);
    return change(pending, (old) => dropPending(old, ids));
  };
  return {
    PENDING_CREATED: (payload) => changed(payload, true),
    PENDING_UPDATED: (payload) => changed(payload, false),
    PENDING_DELETED: ({ orderIds }) => left(orderIds ?? []),
    PENDING_SUBMITTED: ({ pendingOrderId, order }) => [
      left([pendingOrderId]),
      change(submitted, (old) => putSubmitted(old, order, memory, true)),
    ],
    ORDER_NUMBERS_RESOLVED: ({ orderId, orderNumber }) =>
      change(submitted, (old) => numberSubmitted(old, orderId, orderNumber, memory)),
    ORDER_UPDATED: ({ order }) => change(submitted, (old) => putSubmitted(old, order, memory, false)),
    ORDER_DELETE_COMPLETE: ({ orderId }) => {
      gone.add(orderId);
      return change(submitted, (old) => dropSubmitted(old, orderId));
    },
  };
}

/** A target for every page of the history that has been looked at. */
const historyPages = (change: (old: HistoryPage) => HistoryPage): Target => ({
  queryKey: ["history"],
  update: change as (old: never) => unknown,
});

function historyRules({ history }: Queries, cache: QueryClient, memory: Memory, change: Change): Rules<EventMap> {
  const all: Target = { queryKey: ["history"] };
  return {
    // The first page knows where a new record goes, if it is the newest; the others move by one.
    FRESIS_HISTORY_CREATED: ({ record }) => {
      if (memory.gone.has(record.id)) return undefined;
      const others = cache.getQueryCache().findAll(all);
      return [
        change(history(0), (old) => addRecord(old, record, memory)),
        ...others.filter(({ queryKey }) => queryKey[1] !== 0).map(({ queryKey }) => ({ queryKey, exact: true })),
      ];
    },
    // Of one that is on no page that is known, only this is kept: it may be on another, and it may be new.
    FRESIS_HISTORY_UPDATED: ({ record }) => {
      memory.changed.add(record.id);
      return historyPages((old) => replaceRecord(old, record));
    },
    // The record that moves up from the next page has to be fetched.
    FRESIS_HISTORY_DELETED: ({ recordId }) => {
      memory.gone.add(recordId);
      return [historyPages((old) => dropRecord(old, recordId)), all];
    },
    FRESIS_HISTORY_BULK_IMPORTED: all,
  };
}

const jobRule =
  ({ jobs }: Queries, change: Change): Rules<EventMap>["JOB_*"] =>
  (payload, { type, timestamp }) =>
    // It changes nothing here: rows follow it themselves, and the list would be drawn anew many times a second.
    type === "JOB_PROGRESS"
      ? undefined
      : change(jobs, (old) => afterJobEvent(old, type as JobEvent, payload as never, timestamp));

function otherRules({ customers, notifications, syncs, submitted }: Queries, change: Change): Rules<EventMap> {
  return {
    CUSTOMER_UPDATE_COMPLETED: ({ customer }) => change(customers, (old) => putCustomer(old, customer)),
    // It says which, and not what the row is like now.
    CUSTOMER_UPDATE_FAILED: ({ customerId: id }) =>
      change(customers, (old) => ({
        data: old.map((row) => (row.id === id ? { ...row, jobId: null } : row)),
        sure: false,
      })),
    SYNC_COMPLETED: ({ syncType }) =>
      syncType === "customers" ? [syncs, customers] : syncType === "orders" ? [syncs, submitted] : syncs,
    // What it had got until then stays.
    SYNC_FAILED: ({ syncType }) =>
      syncType === "customers" ? customers : syncType === "orders" ? submitted : undefined,
    NOTIFICATION_NEW: (payload) => change(notifications, (old) => addNotification(old, payload)),
    NOTIFICATION_READ: ({ ids, ...now }) => change(notifications, (old) => readNotifications(old, ids, now)),
  };
}
