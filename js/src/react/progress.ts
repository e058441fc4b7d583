import type { Client, Unsubscribe } from "../types.ts";
import { type Listener, listen } from "./listen.ts";

export interface ProgressOptions<M extends object, T extends string> {
  /**
   * The type of the progress itself, of class "latest". Every other event with the same
   * Key is about the same thing. Default "JOB_PROGRESS".
   */
  type?: (T & keyof M) | undefined;
  /** The events' Key. Default: "job:" and the ID, as Go's `emit.JobKey` has it. */
  key?: string | undefined;
  /** Which statuses are the end. Default: those that begin with "complet", "fail" or "cancel". */
  ends?: RegExp | undefined;
  /**
   * The key is used more than once, as a sync's is: what comes after the end begins
   * another run. Without it the end is the end, and progress that comes late is not shown.
   */
  repeats?: boolean | undefined;
  /**
   * Asks the server how the job is. It is called while connected, and only when no event
   * can tell: after mounting and after a gap, if there is no latest value. An event that
   * comes first makes the answer void and aborts signal, and so does a lost connection.
   * Resolve with nothing if there is nothing to say. What it rejects with is
   * `refetchError`; it is called again after the next reconnect or gap.
   */
  refetch?: ((signal: AbortSignal) => MaybePromise<JobAnswer<M, T>>) | undefined;
}

// biome-ignore lint/suspicious/noConfusingVoidType: a function without an answer returns nothing
type MaybePromise<A> = A | undefined | void | Promise<A | undefined | void>;

/** What `refetch` found out: a status, and whatever the events would have said. */
export type JobAnswer<M extends object, T extends string> = { readonly status: JobStatus<M> } & JobFields<M, T>;

/**
 * A snapshot. Beside what is named here it has the fields of the newest event's
 * payload: `progress` and `label`, `result`, `error`. At the end those of the last
 * progress are still there: where it stopped.
 */
export type Progress<M extends object, T extends string> = Omit<JobFields<M, T>, "status" | "stale"> & {
  /** The last word of the newest event's type, in lower case; "unknown" before the first. */
  readonly status: "unknown" | JobStatus<M>;
  /**
   * It may be further than this: the connection is lost and what was missed has not
   * come yet, or there was a gap, or nothing is known, and neither the latest value nor
   * `refetch` has answered. Never true after the end.
   */
  readonly stale: boolean;
  readonly refetchError?: unknown;
};

/** "progress" of JOB_PROGRESS. */
export type JobStatus<M extends object> = string extends keyof M ? string : Lowercase<LastWord<keyof M & string>>;

/** What the payloads of a progress type and its siblings have: of JOB_PROGRESS, JOB_COMPLETED and so on. */
export type JobFields<M extends object, T extends string> = string extends keyof M
  ? { readonly [field: string]: unknown }
  : Fields<M[keyof M & `${Family<T>}${string}`]>;

type LastWord<T extends string> = T extends `${string}_${infer Rest}` ? LastWord<Rest> : T;
type Family<T extends string> = T extends `${infer Words}${LastWord<T>}` ? Words : never;
type Keys<P> = P extends unknown ? keyof P : never;
type Fields<P> = { readonly [K in Keys<P>]?: P extends { readonly [F in K]?: infer V } ? V : never };

/** Options as the code below sees them, which knows no event types. */
// biome-ignore lint/suspicious/noExplicitAny: whatever the hub's map of events is
export type JobOptions = ProgressOptions<any, any>;

/** A snapshot as the code below sees it, which knows no event types. */
export interface Job {
  readonly status: string;
  readonly stale: boolean;
}

export const unknown: Job = { status: "unknown", stale: true };

/**
 * Follows what has the key, from where the client knows it to be. Returns what
 * useSyncExternalStore wants: subscribe, for one at a time, and the newest snapshot.
 * options.current is read when it is needed.
 */
export function createJob<M extends object>(
  client: Client<M>,
  key: string,
  options: { readonly current: JobOptions },
): [subscribe: (fn: () => void) => Unsubscribe, snapshot: () => Job] {
  let now = unknown;
  /** Nothing has come since the beginning or since a gap. After a reconnect without a gap, all that was missed has. */
  let doubt = true;
  /** Whom refetch was asked for; it is asked once for each time that there is doubt. */
  let asked: AbortController | undefined;
  let notify: (() => void) | undefined;

  const ended = (status: string) => (options.current.ends ?? /^(complet|fail|cancel)/).test(status);

  function set(next: { status: string }) {
    now = { ...next, stale: (doubt || client.state.stale) && !ended(next.status) };
    notify?.();
  }

  function take(type: string, payload: unknown) {
    const status = type.replace(/.*_/, "").toLowerCase();
    asked?.abort();
    doubt = false;
    set({ ...(ended(status) && now), ...(payload as object), status });
  }

  /** Takes the latest value. The hub has none of a job that has ended, and the client none after a gap. */
  function look() {
    const { type = "JOB_PROGRESS" } = options.current;
    const value = doubt && client.latest(type as never, key);
    if (value) take(type, value);
    else set(now);
  }

  async function ask() {
    asked = new AbortController();
    const { signal } = asked;
    try {
      // StrictMode subscribes twice, and a gap comes right after the connection: one request.
      await null;
      const answer = !signal.aborted && (await options.current.refetch?.(signal));
      if (!answer || signal.aborted) return;
      doubt = false;
      set(answer);
    } catch (refetchError) {
      if (!signal.aborted) set({ ...now, refetchError } as Job);
    }
  }

  const hear: Listener = (payload, meta) => {
    if (ended(now.status) && !options.current.repeats) return;
    if (meta) {
      if (meta.key === key) take(meta.type, payload);
      return;
    }
    const { stale } = client.state;
    if (payload) doubt = true; // a gap
    if (payload || stale) asked = void asked?.abort();
    look();
    if (key && doubt && !stale && !asked) ask();
  };

  look();
  return [
    (fn) => {
      notify = fn;
      doubt = true; // it may not have been listening for a while
      const stop = listen(client, hear);
      hear();
      return () => {
        asked = void asked?.abort();
        stop();
      };
    },
    () => now,
  ];
}
