import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { bench, type FakeSocket, random, settle, ts } from "./kit.ts";

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

interface Events {
  A: { n: number };
  JOB_STARTED: { jobId: string };
  JOB_PROGRESS: { jobId: string; progress: number };
  JOB_COMPLETED: { jobId: string };
}

describe("latest", () => {
  const progress = (socket: FakeSocket, at: number, key: string, value: number) =>
    socket.event("JOB_PROGRESS", at, { jobId: key, progress: value }, { class: "latest", key });

  it("is the newest of a type, and of a type and key", async () => {
    const b = bench<Events>();
    const socket = await b.dial();
    socket.up();
    expect(b.client.latest("JOB_PROGRESS")).toBeUndefined();
    progress(socket, 1, "a", 10);
    progress(socket, 2, "b", 20);
    progress(socket, 3, "a", 30);
    expect(b.client.latest("JOB_PROGRESS")).toEqual({ jobId: "a", progress: 30 });
    expect(b.client.latest("JOB_PROGRESS", "a")).toEqual({ jobId: "a", progress: 30 });
    expect(b.client.latest("JOB_PROGRESS", "b")).toEqual({ jobId: "b", progress: 20 });
    expect(b.client.latest("JOB_PROGRESS", "c")).toBeUndefined();
    socket.event("A", 4, { n: 1 });
    expect(b.client.latest("A")).toEqual({ n: 1 });
  });

  it("has changed before handlers run", async () => {
    const b = bench<Events>();
    const seen: unknown[] = [];
    b.client.on("A", () => seen.push(b.client.latest("A")));
    const socket = await b.dial();
    socket.up();
    socket.event("A", 1, { n: 1 });
    expect(seen).toEqual([{ n: 1 }]);
  });

  it("is ended by a buffered event with its key, in its scope and for no other key", async () => {
    const b = bench<Events>();
    const socket = await b.dial();
    socket.up();
    progress(socket, 1, "a", 10);
    progress(socket, 2, "b", 20);
    socket.event("JOB_STARTED", 3, { jobId: "a" }, { key: "a", scope: "all" });
    expect(b.client.latest("JOB_PROGRESS", "a")).toBeDefined();
    socket.event("JOB_COMPLETED", 4, { jobId: "b" }, { key: "b" });
    expect(b.client.latest("JOB_PROGRESS", "b")).toBeUndefined();
    expect(b.client.latest("JOB_PROGRESS")).toBeUndefined(); // it was b's
    expect(b.client.latest("JOB_PROGRESS", "a")).toEqual({ jobId: "a", progress: 10 });
    expect(b.client.latest("JOB_COMPLETED", "b")).toEqual({ jobId: "b" });
  });

  it("forgets on a gap what the hub will say again or nobody knows", async () => {
    random(0);
    const b = bench<Events>();
    (await b.dial()).up();
    progress(b.socket, 1, "a", 10);
    b.socket.event("A", 2, { n: 2 }, { scope: "all" });
    b.socket.end();
    await settle();
    await settle();
    // The user's log has a gap, everyone's has none.
    b.socket.hello(50, { verdict: "gap", reason: "evicted", global: 2 });
    expect(b.client.latest("JOB_PROGRESS", "a")).toBeUndefined();
    expect(b.client.latest("A")).toEqual({ n: 2 });
  });

  it("forgets the scope that lagged", async () => {
    const b = bench<Events>();
    const socket = await b.dial();
    socket.up();
    progress(socket, 1, "a", 10);
    socket.event("A", 2, { n: 2 }, { scope: "all" });
    socket.frame({ type: "hub.gap", payload: { reason: "lagged" }, timestamp: ts(9), scope: "all" });
    expect(b.client.latest("A")).toBeUndefined();
    expect(b.client.latest("JOB_PROGRESS", "a")).toBeDefined();
    socket.frame({ type: "hub.gap", payload: { reason: "lagged" }, timestamp: ts(9) });
    expect(b.client.latest("JOB_PROGRESS", "a")).toBeUndefined();
  });

  it("is kept through a reconnect that resumes", async () => {
    random(0);
    const b = bench<Events>();
    (await b.dial()).up();
    progress(b.socket, 1, "a", 10);
    b.socket.end();
    await settle();
    await settle();
    b.socket.up(1);
    expect(b.client.latest("JOB_PROGRESS", "a")).toEqual({ jobId: "a", progress: 10 });
  });

  it("keeps the newest 1,000", async () => {
    const b = bench<Events>();
    const socket = await b.dial();
    socket.up();
    for (let i = 1; i <= 3_000; i++) progress(socket, i, `job:${i}`, i);
    expect(b.client.latest("JOB_PROGRESS", "job:3000")).toBeDefined();
    expect(b.client.latest("JOB_PROGRESS", "job:2100")).toBeDefined();
    expect(b.client.latest("JOB_PROGRESS", "job:2000")).toBeUndefined();
    expect(b.client.latest("JOB_PROGRESS")).toEqual({ jobId: "job:3000", progress: 3_000 });
  });
});
