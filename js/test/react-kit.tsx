// What the tests of hooks share: StrictMode around everything, a client whose sockets
// the test controls, and a count of what is still subscribed.

import { act, cleanup } from "@testing-library/react";
import { type ReactNode, StrictMode } from "react";
import { afterEach, beforeEach, expect, vi } from "vitest";
import type { Client, Options } from "../src/index.ts";
import { createHooks } from "../src/react/index.ts";
import { bench, type FakeSocket, pass, settle, ts } from "./kit.ts";

export interface Events {
  PENDING_CREATED: { orderIds: string[]; count: number };
  COUNT: number;
  JOB_QUEUED: { jobId: string; entityName: string };
  JOB_STARTED: { jobId: string };
  JOB_PROGRESS: { jobId: string; progress: number; label: string };
  JOB_COMPLETED: { jobId: string; result: { orderId: string } };
  JOB_FAILED: { jobId: string; error: string };
  JOB_CANCELLED: { jobId: string; reason?: string };
  SYNC_PROGRESS: { syncType: string; percent: number; processed: number; total: number };
  SYNC_COMPLETED: { syncType: string; processed: number };
}

export const { HubProvider, useClient, useEvent, useLatest, useProgress, useConnectionState } = createHooks<Events>();

/** Fake time, and nothing left behind: no error on the console (act's warnings are such), no timer, no subscription. */
export function tidy() {
  beforeEach(() => {
    vi.useFakeTimers();
    vi.spyOn(console, "error");
    held.length = 0;
  });
  afterEach(async () => {
    cleanup();
    await settle();
    expect(console.error).not.toHaveBeenCalled();
    for (const client of held) client.close(); // an explicit connect is the test's to end
    expect(subscribed).toBe(0);
    expect(vi.getTimerCount()).toBe(0);
    vi.useRealTimers();
  });
}

export type Stage = ReturnType<typeof stage>;
/** A latest value of JOB_PROGRESS. */
export function progress(s: Stage, at: number, n: number, job = "1") {
  s.socket.event(
    "JOB_PROGRESS",
    at,
    { jobId: job, progress: n, label: `at ${n}` },
    { class: "latest", key: `job:${job}` },
  );
}
export const completed = (s: Stage, at: number, job = "1") =>
  s.socket.event("JOB_COMPLETED", at, { jobId: job, result: { orderId: "o7" } }, { key: `job:${job}` });
/** The hub says that it could not keep up. */
export const gap = (s: Stage, at: number) =>
  s.socket.frame({ type: "hub.gap", payload: { reason: "lagged" }, timestamp: ts(at) });

/** A refetch whose answer the test gives. */
export function question() {
  const asked: { signal: AbortSignal; answer(a: unknown): void; fail(e: unknown): void }[] = [];
  const refetch = (signal: AbortSignal) =>
    new Promise<never>((answer, fail) => asked.push({ signal, answer: answer as (a: unknown) => void, fail }));
  return { asked, refetch };
}

/** A component that is what run makes of it. */
export function Run({ run }: { run: () => ReactNode }) {
  return run();
}

const held: Client<Events>[] = [];
let subscribed = 0;

/** A client, its sockets, and the tree around what is tested. */
export function stage(options: Partial<Options> = {}) {
  const b = bench<Events>(options);
  held.push(b.client);
  counted(b.client);
  const more = {
    around: ({ children }: { children?: ReactNode }) => (
      <StrictMode>
        <HubProvider client={b.client}>{children}</HubProvider>
      </StrictMode>
    ),
    /** Lets the provider connect and the hub greet. */
    async up(at = 0, o: Parameters<FakeSocket["hello"]>[1] = {}) {
      await act(settle);
      await act(async () => b.socket.up(at, o));
    },
    /** Cuts the connection and waits for the next attempt. */
    async cut() {
      const before = b.sockets.length;
      await act(async () => b.socket.end());
      while (b.sockets.length === before) await act(() => pass(100));
    },
    /** Cuts the connection and comes back, with what the hub then sends between hello and live. */
    async again(at: number, o: Parameters<FakeSocket["hello"]>[1] = {}, missed = () => {}) {
      await more.cut();
      await act(async () => {
        b.socket.hello(at, o);
        missed();
        b.socket.live(at);
      });
    },
  };
  return Object.defineProperties(more, Object.getOwnPropertyDescriptors(b)) as typeof more & typeof b;
}

function counted(client: Client<Events>) {
  for (const method of ["on", "onGap", "subscribeState", "retain"] as const) {
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
