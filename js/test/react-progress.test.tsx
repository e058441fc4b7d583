// @vitest-environment jsdom
import { act, renderHook } from "@testing-library/react";
import { describe, expect, test } from "vitest";
import { completed, gap, progress, question, stage, tidy, useProgress } from "./react-kit.tsx";

tidy();

const key = "job:1";

describe("a job from its beginning to its end", () => {
  test("says what its events said, and keeps how far it had got", async () => {
    const s = stage();
    const { result } = renderHook(() => useProgress("1"), { wrapper: s.around });
    expect(result.current).toEqual({ status: "unknown", stale: true });
    await s.up();
    const queued = { jobId: "1", entityName: "o" };
    await act(async () => s.socket.event("JOB_QUEUED", 1, queued, { key }));
    expect(result.current).toEqual({ ...queued, status: "queued", stale: false });
    await act(async () => s.socket.event("JOB_STARTED", 2, { jobId: "1" }, { key }));
    expect(result.current).toEqual({ jobId: "1", status: "started", stale: false });
    await act(async () => progress(s, 3, 40));
    expect(result.current).toEqual({ jobId: "1", progress: 40, label: "at 40", status: "progress", stale: false });
    await act(async () => completed(s, 4));
    expect(result.current).toEqual({
      jobId: "1",
      progress: 40,
      label: "at 40",
      result: { orderId: "o7" },
      status: "completed",
      stale: false,
    });
  });

  test.each([
    ["JOB_COMPLETED", "completed", { result: 1 }],
    ["JOB_FAILED", "failed", { error: "no such customer" }],
    ["JOB_CANCELLED", "cancelled", { reason: "preempted" }],
  ])("%s is the end: progress that comes late is not shown", async (type, status, payload) => {
    const s = stage();
    const { result } = renderHook(() => useProgress("1"), { wrapper: s.around });
    await s.up();
    await act(async () => progress(s, 1, 40));
    await act(async () => s.socket.event(type, 2, payload, { key }));
    const end = { jobId: "1", progress: 40, label: "at 40", ...payload, status, stale: false };
    expect(result.current).toEqual(end);
    await act(async () => progress(s, 3, 41));
    expect(result.current).toEqual(end);
    await s.again(3);
    expect(result.current).toEqual(end);
    await act(async () => gap(s, 4));
    expect(result.current).toEqual(end);
  });

  test("other jobs are other jobs", async () => {
    const s = stage();
    const { result } = renderHook(() => useProgress("1"), { wrapper: s.around });
    await s.up();
    await act(async () => progress(s, 1, 40));
    await act(async () => progress(s, 2, 99, "2"));
    await act(async () => completed(s, 3, "2"));
    expect(result.current).toMatchObject({ status: "progress", progress: 40 });
  });

  test("a burst ends where it ends", async () => {
    const s = stage();
    const { result } = renderHook(() => useProgress("1"), { wrapper: s.around });
    await s.up();
    await act(async () => {
      for (let i = 1; i < 100; i++) progress(s, i, i);
      completed(s, 100);
    });
    expect(result.current).toMatchObject({ status: "completed", progress: 99 });
  });

  test("mounted in the middle, the first render has the latest value", async () => {
    const s = stage();
    await s.dial();
    s.socket.up();
    progress(s, 1, 40);
    const shown: unknown[] = [];
    renderHook(() => shown.push(useProgress("1")), { wrapper: s.around });
    expect(shown[0]).toMatchObject({ status: "progress", progress: 40, stale: false });
  });

  test("mounted while the connection is lost, what was known is shown as stale", async () => {
    const s = stage();
    await s.dial();
    s.socket.up();
    progress(s, 1, 40);
    s.socket.end();
    const { result } = renderHook(() => useProgress("1"), { wrapper: s.around });
    expect(result.current).toMatchObject({ status: "progress", progress: 40, stale: true });
  });

  test("another ID is another job, at once", async () => {
    const s = stage();
    const shown: unknown[] = [];
    const { rerender } = renderHook(({ id }) => shown.push([id, useProgress(id)]), {
      wrapper: s.around,
      initialProps: { id: "1" },
    });
    await s.up();
    await act(async () => completed(s, 1));
    rerender({ id: "2" });
    await act(async () => progress(s, 2, 20, "2"));
    expect(shown.filter((x) => (x as [string])[0] === "2" && JSON.stringify(x).includes("completed"))).toEqual([]);
    expect(shown.at(-1)).toMatchObject(["2", { status: "progress", progress: 20 }]);
  });

  test("without an ID there is no job and no question", async () => {
    const s = stage();
    const { asked, refetch } = question();
    const { result } = renderHook(() => useProgress(undefined, { refetch }), { wrapper: s.around });
    await s.up();
    await act(async () => progress(s, 1, 40));
    await act(async () => gap(s, 2));
    expect(result.current).toEqual({ status: "unknown", stale: true });
    expect(asked).toEqual([]);
  });
});

describe("options", () => {
  test("a sync: its own type and key, and another run after the end", async () => {
    const s = stage();
    const sync = (at: number, percent: number) =>
      s.socket.event(
        "SYNC_PROGRESS",
        at,
        { syncType: "customers", percent, processed: percent, total: 100 },
        { class: "latest", key: "sync:customers" },
      );
    const { result } = renderHook(
      () => useProgress("customers", { type: "SYNC_PROGRESS", key: "sync:customers", repeats: true }),
      { wrapper: s.around },
    );
    await s.up();
    await act(async () => sync(1, 50));
    expect(result.current).toMatchObject({ status: "progress", percent: 50 });
    await act(async () =>
      s.socket.event("SYNC_COMPLETED", 2, { syncType: "customers", processed: 100 }, { key: "sync:customers" }),
    );
    expect(result.current).toMatchObject({ status: "completed", percent: 50, processed: 100, stale: false });
    await act(async () => sync(3, 10));
    expect(result.current).toEqual({
      syncType: "customers",
      percent: 10,
      processed: 10,
      total: 100,
      status: "progress",
      stale: false,
    });
  });

  test("the latest value is that of the type", async () => {
    const s = stage();
    await s.dial();
    s.socket.up();
    s.socket.event("SYNC_PROGRESS", 1, { percent: 50 }, { class: "latest", key: "sync:customers" });
    const { result } = renderHook(
      () => [
        useProgress("x", { type: "SYNC_PROGRESS", key: "sync:customers" }).status,
        useProgress("x", { key: "sync:customers" }).status,
      ],
      { wrapper: s.around },
    );
    expect(result.current).toEqual(["progress", "unknown"]);
  });

  test("progress that is no latest value is heard, and does not come back later", async () => {
    const s = stage();
    const { result } = renderHook(() => useProgress("1"), { wrapper: s.around });
    await s.up();
    await act(async () => s.socket.event("JOB_PROGRESS", 1, { jobId: "1", progress: 40 }, { key }));
    expect(result.current).toMatchObject({ status: "progress", progress: 40 });
    await act(async () => s.socket.event("JOB_QUEUED", 2, { jobId: "1", entityName: "o" }, { key }));
    await s.again(2);
    expect(result.current).toMatchObject({ status: "queued", stale: false });
  });

  test("other words for the end", async () => {
    const s = stage();
    const { result } = renderHook(() => useProgress("1", { ends: /^started/ }), { wrapper: s.around });
    await s.up();
    await act(async () => s.socket.event("JOB_STARTED", 1, { jobId: "1" }, { key }));
    await act(async () => progress(s, 2, 40));
    expect(result.current.status).toBe("started");
  });
});
