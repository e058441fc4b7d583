import type { Client, Meta } from "@usercast/client";
import { bindQueryClient } from "@usercast/client/query";
import type { Api } from "../src/api.ts";
import type {
  Customer,
  EventMap,
  HistoryRecord,
  Notification,
  PendingOrder,
  SubmittedOrder,
} from "../src/events.gen.ts";
import { type Job, newJob } from "../src/jobs.ts";
import { createQueries, createQueryClient } from "../src/queries.ts";
import { createMemory } from "../src/rows.ts";
import { createRules } from "../src/rules.ts";

/** The n-th microsecond of a minute, as Go writes it: without trailing zeros. */
export const at = (n: number) =>
  `2026-11-22T20:53:52.${String(n).padStart(6, "0").replace(/0+$/, "")}Z`.replace(".Z", "Z");

export const pendingOrder = (id: string, n: number, to: Partial<PendingOrder> = {}): PendingOrder => ({
  id,
  customerId: "c1",
  customerName: "Ada",
  lines: [{ product: "Paper", quantity: 1, priceCents: 100 }],
  totalCents: 100,
  note: "",
  status: "pending",
  jobId: null,
  updatedAt: at(n),
  ...to,
});

export const submittedOrder = (orderId: string, n: number, to: Partial<SubmittedOrder> = {}): SubmittedOrder => ({
  orderId,
  orderNumber: null,
  customerId: "c1",
  customerName: "Ada",
  totalCents: 100,
  note: "",
  status: "submitted",
  jobId: null,
  updatedAt: at(n),
  ...to,
});

export const record = (id: string, n: number, to: Partial<HistoryRecord> = {}): HistoryRecord => ({
  id,
  customerName: "Ada",
  article: "Paper",
  quantity: 1,
  revenueCents: 100,
  jobId: null,
  updatedAt: at(n),
  ...to,
});

export const customer = (id: string, n: number, to: Partial<Customer> = {}): Customer => ({
  id,
  name: "Ada",
  city: "Wien",
  email: "",
  jobId: null,
  updatedAt: at(n),
  ...to,
});

export const notification = (id: string, read = false, n = 1): Notification => ({
  id,
  title: id,
  body: "",
  read,
  createdAt: at(n),
});

export const job = (id: string, to: Partial<Job> = {}): Job => ({
  ...newJob(id, { type: "submitOrder", entityId: "p1", entityName: "Ada" }, at(1)),
  ...to,
});

/** Waits until timers of 0 have run, and those that they set. They run in the order in which they were set, however busy the machine is. */
export async function happened() {
  for (let i = 0; i < 4; i++) await new Promise((resolve) => setTimeout(resolve, 0));
}

/** A cache that is bound by the page's own rules to a client whose events the test makes. */
export function bound() {
  const cache = createQueryClient();
  const queries = createQueries({} as Api);
  const memory = createMemory();
  const handlers: [string, (payload: never, meta: Meta) => unknown][] = [];
  const client = {
    state: { phase: "connected", stale: false, attempt: 0, retryAt: null },
    cursor: { epoch: "e", lastEventTs: at(0) },
    on(type: string, fn: (payload: never, meta: Meta) => unknown) {
      handlers.push([type, fn]);
      return () => {};
    },
    onGap: () => () => {},
    subscribeState: () => () => {},
  } as unknown as Client<EventMap>;
  bindQueryClient(client, cache, createRules(queries, cache, memory, 0));
  cache.clear();

  /** Delivers an event, and waits until everything that it causes has happened. */
  async function emit<K extends keyof EventMap>(type: K, payload: EventMap[K], timestamp = at(500)) {
    const meta = { type, timestamp, replayed: false, transient: false, latest: false, scope: "user" } as const;
    for (const [pattern, fn] of handlers)
      if (pattern === type || (pattern.endsWith("*") && type.startsWith(pattern.slice(0, -1))))
        fn(payload as never, meta);
    await happened();
  }

  const doubtful = (queryKey: readonly unknown[]) => cache.getQueryState(queryKey)?.isInvalidated ?? false;
  return { cache, queries, memory, emit, doubtful };
}
