import type { SyncType } from "./api.ts";
import type { EventMap } from "./events.gen.ts";
import { isActive, type Job } from "./jobs.ts";

/** How long the banner stays after the last sync has ended. */
export const lingerMs = 6_000;

/** One sync, from when it is queued until the banner goes. */
export interface Run {
  readonly syncType: SyncType;
  readonly jobId: string;
  readonly phase: "queued" | "running" | "retrying" | "completed" | "failed" | "cancelled";
  readonly percent: number;
  readonly processed: number;
  readonly total: number;
  readonly label: string;
  /** How long it would still take when that was said, in milliseconds; null: unknown. */
  readonly etaMs: number | null;
  /** When the last word of it came: the clock's milliseconds. */
  readonly at: number;
  readonly error: string;
}

/** All syncs that the one banner is about. */
export interface Syncs {
  readonly runs: readonly Run[];
  /** IDs of jobs that have ended: a list that was fetched before does not begin them again. */
  readonly ended: readonly string[];
}

export const noSyncs: Syncs = { runs: [], ended: [] };

export type SyncAction =
  | { kind: "event"; type: string; payload: unknown; now: number }
  /** The list of jobs: after loading, and after a gap. */
  | { kind: "jobs"; jobs: readonly Job[]; now: number }
  /** The banner has stood for long enough. */
  | { kind: "tick"; now: number };

const types: Record<string, SyncType> = {
  syncCustomers: "customers",
  syncOrders: "orders",
  syncProducts: "products",
  syncPrices: "prices",
};

/** What a job syncs, if it does. */
export const syncTypeOf = (jobType: string): SyncType | undefined => types[jobType];

export const isOver = ({ phase }: Run) => phase === "completed" || phase === "failed" || phase === "cancelled";

export function reduceSyncs(syncs: Syncs, action: SyncAction): Syncs {
  switch (action.kind) {
    case "event":
      return afterEvent(syncs, action.type, action.payload, action.now);
    case "jobs":
      return action.jobs.reduceRight((state, job) => afterJob(state, job, action.now), syncs);
    case "tick":
      return hidesAt(syncs) <= action.now ? { ...syncs, runs: [] } : syncs;
  }
}

/** When the banner hides itself; Infinity while anything goes on, and when there is nothing to hide. */
export function hidesAt({ runs }: Syncs): number {
  if (!runs.length || !runs.every(isOver)) return Number.POSITIVE_INFINITY;
  return Math.max(...runs.map(({ at }) => at)) + lingerMs;
}

function afterEvent(syncs: Syncs, type: string, payload: unknown, now: number): Syncs {
  switch (type) {
    case "SYNC_PROGRESS": {
      const { syncType, jobId, ...rest } = payload as EventMap["SYNC_PROGRESS"];
      return change(syncs, syncType, jobId, { ...rest, phase: "running", at: now });
    }
    case "SYNC_COMPLETED": {
      const { syncType, jobId, processed, total } = payload as EventMap["SYNC_COMPLETED"];
      return finish(syncs, syncType, jobId, { phase: "completed", percent: 100, processed, total, at: now });
    }
    case "SYNC_FAILED": {
      const { syncType, jobId, error } = payload as EventMap["SYNC_FAILED"];
      return finish(syncs, syncType, jobId, { phase: "failed", error, at: now });
    }
    default: {
      const { jobId, type: jobType, error } = payload as { jobId: string; type: string; error?: string };
      const syncType = types[jobType];
      const to = syncType && jobPhases[type];
      if (!to) return syncs;
      // As in the list of jobs: it comes first, so of a run that is known it comes late.
      if (to === "queued" && syncs.runs.some((run) => run.jobId === jobId)) return syncs;
      if (to === "queued" || to === "running" || to === "retrying")
        return change(syncs, syncType, jobId, { phase: to, etaMs: null, at: now });
      return finish(syncs, syncType, jobId, { phase: to, at: now, ...(error ? { error } : {}) });
    }
  }
}

const jobPhases: Record<string, Run["phase"]> = {
  JOB_QUEUED: "queued",
  JOB_STARTED: "running",
  JOB_RETRYING: "retrying",
  JOB_COMPLETED: "completed",
  JOB_FAILED: "failed",
  JOB_CANCELLED: "cancelled",
};

/** Takes a job of the list for what no event has told: what runs when the page is loaded, and what ended in a gap. */
function afterJob(syncs: Syncs, job: Job, now: number): Syncs {
  const syncType = types[job.type];
  if (!syncType) return syncs;
  const run = syncs.runs.find(({ jobId }) => jobId === job.id);
  const { status: phase, progress: percent, label, error } = job;
  if (isActive(job)) {
    if (!run) return change(syncs, syncType, job.id, { phase, percent, label, at: now });
    // The list asks the server where events may have overtaken each other. Only that a job has begun it may not have heard.
    const begun = phase === "queued" && run.phase === "running";
    return begun || phase === run.phase ? syncs : change(syncs, syncType, job.id, { phase });
  }
  if (!run) return remember(syncs, job.id);
  if (isOver(run)) return syncs;
  const full = phase === "completed" ? { percent: 100 } : {};
  return finish(syncs, syncType, job.id, { phase, ...full, error: error ?? "", at: now });
}

/** Changes a run that has not ended, or begins it. */
function change(syncs: Syncs, syncType: SyncType, jobId: string, to: Partial<Run>): Syncs {
  if (syncs.ended.includes(jobId)) return syncs;
  const run = syncs.runs.find((one) => one.jobId === jobId);
  if (run) return { ...syncs, runs: syncs.runs.map((one) => (one === run ? { ...run, ...to } : one)) };
  // The first of a new batch takes the banner over from one that is only shown for a moment more.
  const others = syncs.runs.every(isOver) ? [] : syncs.runs.filter((one) => one.syncType !== syncType);
  return { ...syncs, runs: [...others, { ...blank(syncType, jobId), ...to }] };
}

/** Ends a run. How may be known only afterwards: what it has got, and that it was cancelled. */
function finish(syncs: Syncs, syncType: SyncType, jobId: string, to: Partial<Run>): Syncs {
  const run = syncs.runs.find((one) => one.jobId === jobId);
  if (syncs.ended.includes(jobId)) {
    if (!run || (to.phase !== "cancelled" && to.phase !== run.phase)) return syncs;
    const { at, error } = run;
    const now =
      to.phase === "cancelled" ? { ...run, phase: to.phase } : { ...run, ...to, at, error: error || (to.error ?? "") };
    return { ...syncs, runs: syncs.runs.map((one) => (one === run ? now : one)) };
  }
  // The end of one that nobody has seen does not hide the next one of its type.
  const next = !run && syncs.runs.some((one) => one.syncType === syncType && !isOver(one));
  const after = next ? syncs : change(syncs, syncType, jobId, { ...to, etaMs: null });
  return remember(after, jobId);
}

/** What is remembered as ended does not begin again. */
const remember = (syncs: Syncs, jobId: string): Syncs =>
  syncs.ended.includes(jobId) ? syncs : { ...syncs, ended: [...syncs.ended, jobId].slice(-maxEnded) };

const maxEnded = 50;

const blank = (syncType: SyncType, jobId: string): Run => ({
  syncType,
  jobId,
  phase: "queued",
  percent: 0,
  processed: 0,
  total: 0,
  label: "",
  etaMs: null,
  at: 0,
  error: "",
});

/** What the banner says. */
export interface Summary {
  readonly tone: "running" | "done" | "failed";
  /** Of all syncs together; whole. */
  readonly percent: number;
  readonly title: string;
  readonly detail: string;
  /** Until those that run are through, in milliseconds; null: unknown. */
  readonly etaMs: number | null;
}

/** Several syncs are one banner. null: there is nothing to say. */
export function summarize({ runs }: Syncs, now: number): Summary | null {
  if (!runs.length) return null;
  const over = runs.filter(isOver);
  const going = runs.filter((run) => !isOver(run));
  const names = (of: readonly Run[]) => list(of.map(({ syncType }) => syncType));
  const done = runs.map((run) => (isOver(run) ? 100 : Math.min(run.percent, 100)));
  const percent = Math.floor(done.reduce((sum, one) => sum + one, 0) / runs.length);
  if (!going.length) {
    const bad = over.filter(({ phase }) => phase !== "completed");
    if (!bad.length) {
      const rows = over.reduce((sum, { processed }) => sum + processed, 0);
      const detail = rows ? `${rows.toLocaleString("en-GB")} records` : "";
      return { tone: "done", percent: 100, title: `Synced ${names(over)}`, detail, etaMs: null };
    }
    const word = bad.every(({ phase }) => phase === "cancelled") ? "cancelled" : "failed";
    const detail = bad.find(({ error }) => error)?.error ?? "";
    return { tone: "failed", percent, title: `Sync of ${names(bad)} ${word}`, detail, etaMs: null };
  }
  const busy = going.filter(({ phase }) => phase !== "queued");
  const etas = busy.map(({ etaMs, at }) => (etaMs === null ? null : Math.max(0, etaMs - (now - at))));
  const known = etas.filter((eta) => eta !== null);
  const etaMs = busy.length && known.length === busy.length ? known.reduce((sum, eta) => sum + eta, 0) : null;
  const retrying = busy.some(({ phase }) => phase === "retrying");
  const title = busy.length
    ? `${retrying ? "Retrying" : "Syncing"} ${names(busy)}`
    : `Sync of ${names(going)} is queued`;
  return { tone: "running", percent, title, detail: details(runs, busy, over), etaMs };
}

function details(runs: readonly Run[], busy: readonly Run[], over: readonly Run[]): string {
  const parts: string[] = [];
  if (runs.length > 1) parts.push(`${over.length} of ${runs.length} done`);
  const [one] = busy;
  if (busy.length === 1 && one?.total)
    parts.push(`${one.processed.toLocaleString("en-GB")} of ${one.total.toLocaleString("en-GB")}`);
  const waiting = runs.length - busy.length - over.length;
  if (waiting && busy.length) parts.push(`${waiting} waiting`);
  return parts.join(" · ");
}

const list = (words: readonly string[]) => new Intl.ListFormat("en-GB").format(words);
