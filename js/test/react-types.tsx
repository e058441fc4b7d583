// Read by the compiler (npm run typecheck), never run: what infers, and what does not compile.

import { expectTypeOf } from "vitest";
import { type Client, createClient, type Meta } from "../src/index.ts";
import { createHooks, type Progress } from "../src/react/index.ts";
import { useHubMonitor } from "../src/react/monitor.ts";
import {
  type Events,
  HubProvider,
  useClient,
  useConnectionState,
  useEvent,
  useLatest,
  useProgress,
} from "./react-kit.tsx";

export function useAll() {
  expectTypeOf(useClient()).toEqualTypeOf<Client<Events>>();

  useEvent("PENDING_CREATED", (payload, meta) => {
    expectTypeOf(payload).toEqualTypeOf<{ orderIds: string[]; count: number }>();
    expectTypeOf(meta).toEqualTypeOf<Meta>();
  });
  useEvent("PENDING_*", (payload) => expectTypeOf(payload).toEqualTypeOf<unknown>());
  useEvent("*", (payload) => expectTypeOf(payload).toEqualTypeOf<unknown>());
  useEvent("COUNT", async () => {});
  // @ts-expect-error: no such event
  useEvent("PENDING_CREATE", () => {});
  // @ts-expect-error: SEED's pitfall 16: the producer says orderIds
  useEvent("PENDING_CREATED", ({ orderId }) => orderId);

  expectTypeOf(useLatest("COUNT")).toEqualTypeOf<number | undefined>();
  expectTypeOf(useLatest("JOB_PROGRESS", "job:1")?.label).toEqualTypeOf<string | undefined>();
  // @ts-expect-error: no such event
  useLatest("NOTHING");

  expectTypeOf(useConnectionState().phase).toEqualTypeOf<
    "idle" | "connecting" | "connected" | "reconnecting" | "closed"
  >();
  expectTypeOf(useHubMonitor(useClient()).status).toEqualTypeOf<"healthy" | "idle" | "offline">();
}

export function useJobs(id: string | undefined) {
  const job = useProgress(id, {
    refetch: async (signal) => {
      expectTypeOf(signal).toEqualTypeOf<AbortSignal>();
      return { status: "completed", result: { orderId: "o7" } };
    },
  });
  expectTypeOf(job.progress).toEqualTypeOf<number | undefined>();
  expectTypeOf(job.label).toEqualTypeOf<string | undefined>();
  expectTypeOf(job.result).toEqualTypeOf<{ orderId: string } | undefined>();
  expectTypeOf(job.error).toEqualTypeOf<string | undefined>();
  expectTypeOf(job.reason).toEqualTypeOf<string | undefined>();
  expectTypeOf(job.stale).toEqualTypeOf<boolean>();
  expectTypeOf(job.status).toEqualTypeOf<
    "unknown" | "created" | "count" | "queued" | "started" | "progress" | "completed" | "failed" | "cancelled"
  >();
  // @ts-expect-error: a sync has that, a job has not
  job.percent;
  // @ts-expect-error: no event ends in that word
  job.status === ("done" satisfies boolean);

  const sync = useProgress("customers", { type: "SYNC_PROGRESS", key: "sync:customers", repeats: true });
  expectTypeOf(sync.percent).toEqualTypeOf<number | undefined>();
  expectTypeOf(sync.processed).toEqualTypeOf<number | undefined>();
  expectTypeOf(sync).toEqualTypeOf<Progress<Events, "SYNC_PROGRESS">>();
  // @ts-expect-error: a job has that, a sync has not
  sync.label;

  // @ts-expect-error: no such event
  useProgress(id, { type: "SINK_PROGRESS" });
  // @ts-expect-error: a status that no event tells
  useProgress(id, { refetch: () => ({ status: "done" }) });
  // @ts-expect-error: a percentage is a number
  useProgress(id, { refetch: async () => ({ status: "progress", progress: "40" }) });
  useProgress(id, { refetch: () => {} }); // one that only invalidates a query
  useProgress(id, { refetch: undefined, key: undefined });
}

/** Payloads as Go makes them: with null, and with a status of their own. */
export function useNull() {
  interface Nullable {
    JOB_PROGRESS: { jobId: string; label: string | null; status: number };
    JOB_COMPLETED: { jobId: string; result: string[] | null };
  }
  const job = createHooks<Nullable>().useProgress("1");
  expectTypeOf(job.label).toEqualTypeOf<string | null | undefined>();
  expectTypeOf(job.result).toEqualTypeOf<string[] | null | undefined>();
  expectTypeOf(job.status).toEqualTypeOf<"unknown" | "progress" | "completed">();
}

/** Without a map of events nothing is known, and nothing refused. */
export function useUntyped() {
  const hooks = createHooks();
  hooks.useEvent("ANYTHING", (payload) => expectTypeOf(payload).toEqualTypeOf<unknown>());
  const job = hooks.useProgress("1");
  expectTypeOf(job.status).toEqualTypeOf<string>();
  expectTypeOf(job.progress).toEqualTypeOf<unknown>();
}

declare const client: Client<Events>;
declare const other: Client<{ OTHER: string }>;
export const providers = [
  <HubProvider key="1" client={client} />,
  <HubProvider key="2" create={() => createClient<Events>({ url: "/ws" })}>
    text
  </HubProvider>,
  // @ts-expect-error: a client of other events
  <HubProvider key="3" client={other} />,
  // @ts-expect-error: neither
  <HubProvider key="4" />,
  // @ts-expect-error: both
  <HubProvider key="5" client={client} create={() => client} />,
];
