import { type UseMutationResult, useMutation, useQuery } from "@tanstack/react-query";
import { createContext, use } from "react";
import { unanswered } from "./answers.ts";
import { ApiError } from "./api.ts";
import type { EventMap } from "./events.gen.ts";
import { useLatest } from "./hub.ts";
import { type Work, workOf } from "./jobs.ts";
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
  const session = useSession();
  return useMutation({
    mutationFn: run,
    onSuccess: (result, value) => done?.(result, value),
    onError: (error) => {
      // Nobody knows whether it was done, and no event would tell this page.
      if (!(error instanceof ApiError) || error.status === 0 || error.status >= 500) unanswered(session);
      if (!quiet) fail(error);
    },
  });
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
