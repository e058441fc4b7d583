import { type UseMutationResult, useMutation, useQuery } from "@tanstack/react-query";
import { createContext, use } from "react";
import { write } from "./cache.ts";
import type { EventMap } from "./events.gen.ts";
import { useLatest } from "./hub.ts";
import { addJob, type Job, newJob, type Work, workOf } from "./jobs.ts";
import type { Row } from "./rows.ts";
import type { Session } from "./session.ts";
import { useToasts } from "./ui/toasts.tsx";

export const SessionContext = createContext<Session | null>(null);

export function useSession(): Session {
  const session = use(SessionContext);
  if (!session) throw new Error("orders: no session above");
  return session;
}

/** Something that a click does. What the server refuses is said in a message, unless quiet: a form says it itself. */
export function useAct<V, R>(
  run: (value: V) => Promise<R>,
  done?: (result: R, value: V) => unknown,
  { quiet = false } = {},
): UseMutationResult<R, Error, V> {
  const { fail } = useToasts();
  return useMutation({
    mutationFn: run,
    onSuccess: (result, value) => done?.(result, value),
    onError: (error) => {
      if (!quiet) fail(error);
    },
  });
}

const ends = ["JOB_COMPLETED", "JOB_FAILED", "JOB_CANCELLED"] as const;

/** Shows a job that the server has accepted, without waiting for its events: this page may hear none of its own doing. */
export function accepted(
  { client, cache, queries }: Session,
  jobId: string,
  of: Pick<Job, "type" | "entityId" | "entityName">,
  originalJobId: string | null = null,
) {
  // It may be over already: events can be faster than the answer.
  if (ends.some((type) => client.latest(type, `job:${jobId}`))) return cache.invalidateQueries(queries.jobs);
  return write<Job[]>(cache, queries.jobs.queryKey, (old) =>
    addJob(old, { ...newJob(jobId, of, new Date().toISOString()), originalJobId }),
  );
}

/** A row that a job has been queued for, if no event has told more about it meanwhile. */
export function locked<T extends Row & { jobId: string | null }>(
  rows: readonly T[],
  row: T,
  to: Partial<T>,
  same: (a: T, b: T) => boolean,
): T[] {
  return rows.map((shown) => (same(shown, row) && shown.updatedAt === row.updatedAt ? { ...shown, ...to } : shown));
}

/** The progress events that carry a job's ID, a percentage and a label. */
export type ProgressType = {
  [K in keyof EventMap]: EventMap[K] extends { jobId: string; progress: number; label: string } ? K : never;
}[keyof EventMap];

/**
 * How far the work on a row is: by the newest progress of its key, and by the list of jobs
 * where none has come, after loading or a gap.
 */
export function useWork(jobId: string | null | undefined, type: ProgressType, key: string): Work | null {
  const { queries } = useSession();
  const { data: job } = useQuery({ ...queries.jobs, select: (jobs) => jobs.find(({ id }) => id === jobId) });
  const live = useLatest(type, key) as EventMap[ProgressType] | undefined;
  return workOf(jobId, job, live);
}
