import type { EventMap } from "./events.gen.ts";
import { type Changed, surely } from "./rows.ts";

/** A row of the list of background jobs. */
export interface Job {
  id: string;
  type: string;
  entityId: string;
  entityName: string;
  status: "queued" | "running" | "retrying" | "completed" | "failed" | "cancelled";
  progress: number;
  label: string;
  error: string | null;
  result: unknown;
  attempt: number;
  createdAt: string;
  updatedAt: string;
  originalJobId: string | null;
}

/** As many as the server lists. */
const maxJobs = 50;

export const isActive = ({ status }: Pick<Job, "status">) =>
  status === "queued" || status === "running" || status === "retrying";

const words: Record<string, string> = {
  submitOrder: "Submit order",
  editOrder: "Edit order",
  deleteOrder: "Delete order",
  sendToVerona: "Send to Verona",
  updateCustomer: "Update customer",
  editHistory: "Edit record",
  deleteHistory: "Delete record",
  syncCustomers: "Sync customers",
  syncOrders: "Sync orders",
  syncProducts: "Sync products",
  syncPrices: "Sync prices",
};

/** What a job does, in words. */
export const jobTitle = (type: string) => words[type] ?? type;

/** A job that is known only by an event, or by the answer that it was accepted. */
export function newJob(id: string, of: Pick<Job, "type" | "entityId" | "entityName">, at: string): Job {
  return {
    id,
    type: of.type,
    entityId: of.entityId,
    entityName: of.entityName,
    status: "queued",
    progress: 0,
    label: "",
    error: null,
    result: null,
    attempt: 0,
    createdAt: at,
    updatedAt: at,
    originalJobId: null,
  };
}

/** Adds a job that is not there yet. The oldest go, and one that goes on tells that not all of them are known. */
export function addJob(jobs: readonly Job[], job: Job): Changed<Job[]> {
  if (isKnown(jobs, job.id)) return surely([...jobs]);
  const last = jobs[maxJobs - 1];
  return { data: [job, ...jobs].slice(0, maxJobs), sure: !last || !isActive(last) };
}

const isKnown = (jobs: readonly Job[], id: string) => jobs.some((job) => job.id === id);

/** Changes a job. The end is the end: what comes late changes nothing. */
export function changeJob(jobs: readonly Job[], id: string, change: Partial<Job>): Job[] {
  return jobs.map((job) => (job.id === id && isActive(job) ? { ...job, ...change } : job));
}

/** The types of the events about jobs. */
export type JobEvent = Exclude<
  { [K in keyof EventMap]: K extends `JOB_${string}` ? K : never }[keyof EventMap],
  "JOB_PROGRESS"
>;

/**
 * The list after an event. Not sure: the event is about a job that is not in the list, or
 * does not follow upon what the list says, so that it may have been overtaken.
 */
export function afterJobEvent<K extends JobEvent>(
  jobs: readonly Job[],
  type: K,
  payload: EventMap[K],
  at: string,
): Changed<Job[]> {
  const change = (id: string, to: Partial<Job>, sure = true): Changed<Job[]> => ({
    data: changeJob(jobs, id, { ...to, updatedAt: at }),
    sure: sure && isKnown(jobs, id),
  });
  switch (type) {
    case "JOB_QUEUED":
      return afterQueued(jobs, payload as EventMap["JOB_QUEUED"], at);
    case "JOB_STARTED":
      return afterStarted(jobs, payload as EventMap["JOB_STARTED"], at);
    case "JOB_RETRYING": {
      const { jobId, attempt, error } = payload as EventMap["JOB_RETRYING"];
      // The next attempt may have begun.
      return change(jobId, { status: "retrying", attempt: attempt - 1, error }, false);
    }
    case "JOB_COMPLETED": {
      const { jobId, result } = payload as EventMap["JOB_COMPLETED"];
      return change(jobId, { status: "completed", progress: 100, error: null, result });
    }
    case "JOB_FAILED": {
      const { jobId, error } = payload as EventMap["JOB_FAILED"];
      return change(jobId, { status: "failed", error });
    }
    case "JOB_CANCELLED": {
      const { jobId, reason } = payload as EventMap["JOB_CANCELLED"];
      return change(jobId, { status: "cancelled", error: reason ?? null });
    }
    case "JOB_REQUEUED": {
      const { originalJobId, newJobId } = payload as EventMap["JOB_REQUEUED"];
      const original = jobs.find(({ id }) => id === originalJobId);
      if (!original) return { data: [...jobs], sure: false };
      const { data, sure } = addJob(jobs, newJob(newJobId, original, at));
      return { data: data.map((job) => (job.id === newJobId ? { ...job, originalJobId } : job)), sure };
    }
  }
  return surely([...jobs]); // of a type that is younger than this page
}

/** JOB_QUEUED comes first; of a job that is known it comes late, or again, from a server that stopped and gave the job back. */
function afterQueued(jobs: readonly Job[], payload: EventMap["JOB_QUEUED"], at: string): Changed<Job[]> {
  const known = jobs.find(({ id }) => id === payload.jobId);
  if (!known) return addJob(jobs, newJob(payload.jobId, payload, at));
  return { data: [...jobs], sure: !isActive(known) };
}

/** JOB_STARTED comes again after a failed attempt or a restart: the job begins anew. */
function afterStarted(jobs: readonly Job[], payload: EventMap["JOB_STARTED"], at: string): Changed<Job[]> {
  const { jobId } = payload;
  const known = jobs.find(({ id }) => id === jobId);
  const added = addJob(jobs, newJob(jobId, payload, at));
  // One that is not known may be older than all that are.
  const from = added.sure ? added.data : jobs;
  const started: Partial<Job> = { status: "running", progress: 0, label: "", error: null, updatedAt: at };
  // What has been started before may have ended that attempt since.
  const sure = known !== undefined && (known.status !== "queued" || known.attempt === 0) && known.status !== "retrying";
  return { data: changeJob(from, jobId, { ...started, attempt: Math.max(1, known?.attempt ?? 0) }), sure };
}

/** What a row's bar shows. */
export interface Work {
  jobId: string;
  label: string;
  /** Percent; undefined if it is not known. */
  value: number | undefined;
}

/**
 * How far the work of a job on a row is, by the job as the list has it and by the newest
 * progress that has come for the row, of whichever job that was. A job that has ended has
 * no bar, whatever else is known.
 */
export function workOf(
  jobId: string | null | undefined,
  job: Pick<Job, "type" | "status" | "progress" | "label" | "error"> | undefined,
  live: { jobId: string; progress: number; label: string } | undefined,
): Work | null {
  if (!jobId || (job && !isActive(job))) return null;
  // What has progress is under way, even if the list has not heard of its start.
  if (job?.status === "queued" && live?.jobId !== jobId)
    return { jobId, label: "Waits for its turn", value: undefined };
  if (job?.status === "retrying")
    return { jobId, label: `Tries again: ${job.error || "an attempt failed"}`, value: undefined };
  const known = live?.jobId === jobId ? live : job;
  return { jobId, label: known?.label || (job ? jobTitle(job.type) : "At work"), value: known?.progress };
}
