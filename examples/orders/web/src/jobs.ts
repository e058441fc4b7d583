import type { EventMap } from "./events.gen.ts";

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
    attempt: 1,
    createdAt: at,
    updatedAt: at,
    originalJobId: null,
  };
}

/** Adds a job that is not there yet. */
export function addJob(jobs: readonly Job[], job: Job): Job[] {
  return jobs.some(({ id }) => id === job.id) ? [...jobs] : [job, ...jobs].slice(0, maxJobs);
}

/** Changes a job. The end is the end: what comes late changes nothing. */
export function changeJob(jobs: readonly Job[], id: string, change: Partial<Job>): Job[] {
  return jobs.map((job) => (job.id === id && isActive(job) ? { ...job, ...change } : job));
}

/** The types of the events about jobs. */
export type JobEvent = { [K in keyof EventMap]: K extends `JOB_${string}` ? K : never }[keyof EventMap];

/**
 * The list after an event, or null if the event is about a job that is not in it and
 * does not say enough to add it. JOB_PROGRESS changes nothing here: rows follow it
 * themselves, and the list would be drawn anew many times a second.
 */
export function afterJobEvent<K extends JobEvent>(
  jobs: readonly Job[],
  type: K,
  payload: EventMap[K],
  at: string,
): Job[] | null {
  const known = (id: string) => jobs.some((job) => job.id === id);
  const change = (id: string, to: Partial<Job>) => (known(id) ? changeJob(jobs, id, { ...to, updatedAt: at }) : null);
  switch (type) {
    case "JOB_QUEUED": {
      const p = payload as EventMap["JOB_QUEUED"];
      // It comes first, so of a job that is known it comes late: addJob leaves that as it is.
      return addJob(jobs, newJob(p.jobId, p, at));
    }
    case "JOB_STARTED": {
      const p = payload as EventMap["JOB_STARTED"];
      // Again after a failed attempt or a restart: it begins anew.
      const started: Partial<Job> = { status: "running", progress: 0, label: "", updatedAt: at };
      return changeJob(addJob(jobs, newJob(p.jobId, p, at)), p.jobId, started);
    }
    case "JOB_RETRYING": {
      const { jobId, attempt, error } = payload as EventMap["JOB_RETRYING"];
      return change(jobId, { status: "retrying", attempt, error });
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
      if (!original) return null;
      const added = addJob(jobs, newJob(newJobId, original, at));
      return added.map((job) => (job.id === newJobId ? { ...job, originalJobId } : job));
    }
    default:
      return [...jobs];
  }
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
