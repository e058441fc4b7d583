import type { HistoryPage, Notifications, Unread } from "./api.ts";
import { refetch, write } from "./cache.ts";
import { addRecord, dropPending, dropRecord, lock, putPending, readNotifications, replaceRecord } from "./changes.ts";
import type { Customer, HistoryRecord, PendingOrder, SubmittedOrder } from "./events.gen.ts";
import { addJob, type Job, newJob } from "./jobs.ts";
import { inTurn, surely } from "./rows.ts";
import type { Session } from "./session.ts";

// What the answers to this page's own requests do to what it shows: it hears no echo of
// them, and the events of what others did to the same rows may have been quicker.

type Own = Pick<Session, "cache" | "queries" | "memory">;

/** No answer has come, or none that says anything: whatever was asked for may have been done. */
export const unanswered = ({ cache }: Pick<Own, "cache">) => refetch(cache, cache.getQueryCache().findAll());

/** changed: the IDs of those that were there before. */
export function ordersSaved(
  { cache, queries, memory }: Own,
  orders: readonly PendingOrder[],
  changed: readonly string[],
) {
  return write<PendingOrder[]>(cache, queries.pending.queryKey, (old) =>
    inTurn(old, orders, (rows, order) => putPending(rows, order, memory, !changed.includes(order.id))),
  );
}

export function ordersDeleted({ cache, queries, memory }: Own, ids: readonly string[]) {
  for (const id of ids) memory.gone.add(id);
  return write<PendingOrder[]>(cache, queries.pending.queryKey, (old) => dropPending(old, ids));
}

export async function recordSaved({ cache, memory }: Own, record: HistoryRecord, isNew: boolean) {
  if (!isNew) {
    memory.changed.add(record.id);
    return write<HistoryPage>(cache, ["history"], (old) => surely(replaceRecord(old, record)));
  }
  await write<HistoryPage>(cache, ["history", 0], (old) => addRecord(old, record, memory));
  // On the others everything has moved by one.
  const pages = cache.getQueryCache().findAll({ queryKey: ["history"] });
  return refetch(
    cache,
    pages.filter(({ queryKey }) => queryKey[1] !== 0),
  );
}

export function recordDeleted({ cache, memory }: Own, id: string) {
  memory.gone.add(id);
  return write<HistoryPage>(cache, ["history"], (old) => ({ data: dropRecord(old, id), sure: false }));
}

/** Shows rows as being at work. */
export const orderLocked = ({ cache, queries }: Own, order: PendingOrder, jobId: string) =>
  write<PendingOrder[]>(cache, queries.pending.queryKey, (old) =>
    surely(lock(old, order, { status: "submitting", jobId }, ({ id }) => id)),
  );

export const submittedLocked = (
  { cache, queries }: Own,
  order: SubmittedOrder,
  to: Pick<SubmittedOrder, "status" | "jobId">,
) =>
  write<SubmittedOrder[]>(cache, queries.submitted.queryKey, (old) =>
    surely(lock(old, order, to, ({ orderId }) => orderId)),
  );

export const recordLocked = ({ cache }: Own, record: HistoryRecord, jobId: string) =>
  write<HistoryPage>(cache, ["history"], (old) =>
    surely({ ...old, rows: lock(old.rows, record, { jobId }, ({ id }) => id) }),
  );

export const customerLocked = ({ cache, queries }: Own, customer: Customer, jobId: string) =>
  write<Customer[]>(cache, queries.customers.queryKey, (old) => surely(lock(old, customer, { jobId }, ({ id }) => id)));

/** ids: null: all. */
export const notificationsRead = ({ cache, queries }: Own, ids: readonly string[] | null, now: Unread) =>
  write<Notifications>(cache, queries.notifications.queryKey, (old) => readNotifications(old, ids, now));

const ends = ["JOB_COMPLETED", "JOB_FAILED", "JOB_CANCELLED"] as const;

/** Shows a job that the server has accepted, without waiting for its events: this page may hear none of its own doing. */
export function accepted(
  { client, cache, queries }: Pick<Session, "client" | "cache" | "queries">,
  jobId: string,
  of: Pick<Job, "type" | "entityId" | "entityName">,
  originalJobId: string | null = null,
) {
  const { queryKey } = queries.jobs;
  // It may be over already: events can be faster than the answer.
  if (ends.some((type) => client.latest(type, `job:${jobId}`)))
    return refetch(cache, cache.getQueryCache().findAll({ queryKey }));
  return write<Job[]>(cache, queryKey, (old) =>
    addJob(old, { ...newJob(jobId, of, new Date().toISOString()), originalJobId }),
  );
}
