// What the tests of the query binding share: a cache whose fetches the test answers,
// bound to a client whose sockets the test controls.

import { QueryClient, type QueryKey, QueryObserver } from "@tanstack/react-query";
import { afterEach, beforeEach, expect, vi } from "vitest";
import type { Client, Options } from "../src/index.ts";
import { type BindOptions, bindQueryClient } from "../src/query/index.ts";
import { bench, pass, settle } from "./kit.ts";

export interface Order {
  id: string;
  note?: string;
}

export interface Events {
  PENDING_CREATED: { order: Order };
  PENDING_DELETED: { orderIds: string[]; count: number };
  JOB_PROGRESS: { jobId: string; progress: number };
  COUNT: number;
}

export interface Fetch {
  key: QueryKey;
  answer(data: unknown): void;
  fail(error: unknown): void;
}

const ends: (() => void)[] = [];
let subscribed = 0;

/** Fake time, and nothing left behind: no timer, no subscription, no error on the console. */
export function tidy() {
  beforeEach(() => {
    vi.useFakeTimers();
    vi.spyOn(console, "error");
  });
  afterEach(async () => {
    for (const end of ends.splice(0)) end();
    await settle();
    expect(subscribed).toBe(0);
    expect(vi.getTimerCount()).toBe(0);
    expect(console.error).not.toHaveBeenCalled();
    vi.useRealTimers();
  });
}

export function stage(options: BindOptions<Events> = {}, clientOptions: Partial<Options> = {}) {
  const b = bench<Events>(clientOptions);
  counted(b.client);
  // No timers but the binding's, and no fetches but those that it causes.
  const queries = { gcTime: Infinity, retry: false, refetchOnReconnect: false, refetchOnWindowFocus: false };
  const queryClient = new QueryClient({ defaultOptions: { queries } });
  const fetches: Fetch[] = [];
  const queryFn = ({ queryKey }: { queryKey: QueryKey }) =>
    new Promise<unknown>((answer, fail) => fetches.push({ key: queryKey, answer, fail }));
  queryClient.mount(); // as QueryClientProvider does: it hears of the network
  let bound = false;
  ends.push(
    () => queryClient.unmount(),
    () => b.client.close(),
  );
  return {
    client: b.client,
    sockets: b.sockets,
    errors: b.errors,
    queryClient,
    /** All that were begun, the first first. */
    fetches,
    get socket() {
      return b.socket;
    },
    bind(more: BindOptions<Events> = {}) {
      bound = true;
      const unbind = bindQueryClient(b.client, queryClient, { ...options, ...more });
      ends.push(unbind);
      return unbind;
    },
    dial: () => b.dial(),
    /** Binds, connects, and answers what is fetched for it as before. The hub has nothing to say for hours. */
    async up(at = 0) {
      if (!bound) this.bind();
      await b.dial();
      b.socket.up(at, { heartbeatMs: 3_600_000 });
      await pass(1_000);
      for (const { key, answer } of fetches.splice(0)) answer(queryClient.getQueryData(key) ?? null);
      await settle();
    },
    /** A component that shows the query. */
    async show(key: QueryKey, data?: unknown) {
      const observer = new QueryObserver(queryClient, { queryKey: key, queryFn });
      ends.push(observer.subscribe(() => {}));
      await settle();
      if (data === undefined) return;
      fetches.at(-1)?.answer(data);
      await settle();
      fetches.length = 0;
    },
    data: (key: QueryKey) => queryClient.getQueryData(key),
  };
}

function counted(client: Client<Events>) {
  for (const method of ["on", "onGap", "subscribeState"] as const) {
    const real = client[method] as (...args: unknown[]) => () => void;
    client[method] = ((...args: unknown[]) => {
      const undo = real(...args);
      let open = true;
      subscribed++;
      return () => {
        if (open) subscribed--;
        open = false;
        undo();
      };
    }) as never;
  }
}
