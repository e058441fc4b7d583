// @vitest-environment jsdom
import { act, render, renderHook } from "@testing-library/react";
import { Activity } from "react";
import { describe, expect, test, vi } from "vitest";
import { settle, ts } from "./kit.ts";
import { Run, stage, tidy, useProgress } from "./react-kit.tsx";

tidy();

type Stage = ReturnType<typeof stage>;
const key = "job:1";

function progress(s: Stage, at: number, n: number, job = "1") {
  s.socket.event(
    "JOB_PROGRESS",
    at,
    { jobId: job, progress: n, label: `at ${n}` },
    { class: "latest", key: `job:${job}` },
  );
}
const completed = (s: Stage, at: number, job = "1") =>
  s.socket.event("JOB_COMPLETED", at, { jobId: job, result: { orderId: "o7" } }, { key: `job:${job}` });
const gap = (s: Stage, at: number) =>
  s.socket.frame({ type: "hub.gap", payload: { reason: "lagged" }, timestamp: ts(at) });

/** A refetch whose answer the test gives. */
function question() {
  const asked: { signal: AbortSignal; answer(a: unknown): void; fail(e: unknown): void }[] = [];
  const refetch = (signal: AbortSignal) =>
    new Promise<never>((answer, fail) => asked.push({ signal, answer: answer as (a: unknown) => void, fail }));
  return { asked, refetch };
}

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

describe("after a reconnect", () => {
  test("stale until the latest value comes", async () => {
    const s = stage();
    const { result } = renderHook(() => useProgress("1"), { wrapper: s.around });
    await s.up();
    await act(async () => progress(s, 1, 40));
    await s.cut();
    expect(result.current).toMatchObject({ progress: 40, stale: true });
    await act(async () => s.socket.hello(1));
    expect(result.current).toMatchObject({ progress: 40, stale: true });
    await act(async () => {
      progress(s, 5, 70);
      s.socket.live(5);
    });
    expect(result.current).toMatchObject({ status: "progress", progress: 70, stale: false });
  });

  test("the end that happened meanwhile", async () => {
    const s = stage();
    const { result } = renderHook(() => useProgress("1"), { wrapper: s.around });
    await s.up();
    await act(async () => progress(s, 1, 40));
    await s.again(1, {}, () => completed(s, 5));
    expect(result.current).toMatchObject({ status: "completed", stale: false });
  });

  test("nothing missed, nothing asked: the hub has said so", async () => {
    const s = stage();
    const { asked, refetch } = question();
    const { result } = renderHook(() => useProgress("1", { refetch }), { wrapper: s.around });
    await s.up();
    await act(async () => s.socket.event("JOB_STARTED", 1, { jobId: "1" }, { key }));
    asked.length = 0; // of the time before the event
    await s.again(1);
    expect(result.current).toMatchObject({ status: "started", stale: false });
    expect(asked).toEqual([]);
  });

  test("a gap, and the hub has a latest value: no question", async () => {
    const s = stage();
    const { asked, refetch } = question();
    const { result } = renderHook(() => useProgress("1", { refetch }), { wrapper: s.around });
    await s.dial();
    await act(async () => s.socket.hello(0));
    await act(async () => {
      progress(s, 1, 40);
      s.socket.live(1);
    });
    await s.again(9, { verdict: "gap", reason: "restarted", epoch: "e2" }, () => progress(s, 10, 60));
    expect(result.current).toMatchObject({ progress: 60, stale: false });
    expect(asked).toEqual([]);
  });

  test("a gap, and nothing: stale until refetch answers, one question", async () => {
    const s = stage();
    const { asked, refetch } = question();
    const { result } = renderHook(() => useProgress("1", { refetch }), { wrapper: s.around });
    await s.up();
    await act(async () => progress(s, 1, 40));
    asked.length = 0;
    await s.again(9, { verdict: "gap", reason: "restarted", epoch: "e2" });
    expect(result.current).toMatchObject({ progress: 40, stale: true });
    expect(asked).toHaveLength(1);
    await act(async () => asked[0]?.answer({ status: "completed", result: { orderId: "o9" } }));
    expect(result.current).toEqual({ status: "completed", result: { orderId: "o9" }, stale: false });
  });

  test("a gap in the middle of a connection", async () => {
    const s = stage();
    const { asked, refetch } = question();
    const { result } = renderHook(() => useProgress("1", { refetch }), { wrapper: s.around });
    await s.up();
    await act(async () => progress(s, 1, 40));
    asked.length = 0;
    await act(async () => gap(s, 9));
    expect(result.current).toMatchObject({ progress: 40, stale: true });
    expect(asked).toHaveLength(1);
    await act(async () => progress(s, 10, 60)); // the latest value follows the gap
    expect(result.current).toMatchObject({ progress: 60, stale: false });
    expect(asked[0]?.signal.aborted).toBe(true);
  });
});

describe("refetch", () => {
  test("is asked once when the job is not known, when the connection is live, in StrictMode", async () => {
    const s = stage();
    const { asked, refetch } = question();
    const { result } = renderHook(() => useProgress("1", { refetch }), { wrapper: s.around });
    await act(settle);
    expect(asked).toEqual([]);
    await act(async () => s.socket.hello(0));
    expect(asked).toEqual([]);
    await act(async () => s.socket.live(0));
    expect(asked).toHaveLength(1);
    await act(async () => asked[0]?.answer({ status: "progress", progress: 30 }));
    expect(result.current).toEqual({ status: "progress", progress: 30, stale: false });
  });

  test("mounted on a connection that is live: once", async () => {
    const s = stage();
    await s.dial();
    s.socket.up();
    const { asked, refetch } = question();
    renderHook(() => useProgress("1", { refetch }), { wrapper: s.around });
    await act(settle);
    expect(asked).toHaveLength(1);
  });

  test("an event that comes first makes the answer void", async () => {
    const s = stage();
    const { asked, refetch } = question();
    const { result } = renderHook(() => useProgress("1", { refetch }), { wrapper: s.around });
    await s.up();
    await act(async () => progress(s, 1, 40));
    expect(asked[0]?.signal.aborted).toBe(true);
    await act(async () => asked[0]?.answer({ status: "progress", progress: 10 }));
    expect(result.current).toMatchObject({ progress: 40, stale: false });
    await act(async () => gap(s, 5));
    await act(async () => progress(s, 6, 60));
    await act(async () => asked[1]?.fail(new DOMException("aborted", "AbortError"))); // as fetch does
    expect(result.current).toEqual({ jobId: "1", progress: 60, label: "at 60", status: "progress", stale: false });
  });

  test("a gap while it is asked: the question is put again, the first answer is void", async () => {
    const s = stage();
    const { asked, refetch } = question();
    const { result } = renderHook(() => useProgress("1", { refetch }), { wrapper: s.around });
    await s.up();
    await act(async () => gap(s, 5));
    expect(asked).toHaveLength(2);
    await act(async () => asked[0]?.answer({ status: "progress", progress: 10 }));
    expect(result.current).toMatchObject({ status: "unknown", stale: true });
    await act(async () => asked[1]?.answer({ status: "progress", progress: 50 }));
    expect(result.current).toMatchObject({ status: "progress", progress: 50, stale: false });
  });

  test("a connection that is lost while it is asked: asked again when it is back", async () => {
    const s = stage();
    const { asked, refetch } = question();
    const { result } = renderHook(() => useProgress("1", { refetch }), { wrapper: s.around });
    await s.up();
    await s.cut();
    expect(asked[0]?.signal.aborted).toBe(true);
    await act(async () => asked[0]?.answer({ status: "progress", progress: 10 }));
    expect(result.current).toMatchObject({ status: "unknown", stale: true });
    await act(async () => s.socket.up(0));
    expect(asked).toHaveLength(2);
    await act(() => vi.advanceTimersByTimeAsync(6_000)); // the backoff is reset: no reason to ask again
    expect(s.client.state.attempt).toBe(0);
    expect(asked).toHaveLength(2);
  });

  test("no answer leaves it stale; a rejection says why; the next reconnect asks again", async () => {
    const s = stage();
    const { asked, refetch } = question();
    const { result } = renderHook(() => useProgress("1", { refetch }), { wrapper: s.around });
    await s.up();
    await act(async () => asked[0]?.answer(undefined));
    expect(result.current).toEqual({ status: "unknown", stale: true });
    await s.again(0);
    await act(async () => asked[1]?.fail(new Error("503")));
    expect(result.current).toEqual({ status: "unknown", stale: true, refetchError: new Error("503") });
    await s.again(0);
    await act(async () => asked[2]?.answer({ status: "queued" }));
    expect(result.current).toEqual({ status: "queued", stale: false });
  });

  test("one that throws at once is a rejection; one that answers at once is an answer", async () => {
    const s = stage();
    let fails = true;
    const refetch = () => {
      if (fails) throw new Error("mine");
      return { status: "queued" } as const;
    };
    const { result } = renderHook(() => useProgress("1", { refetch }), { wrapper: s.around });
    await s.up();
    expect(result.current.refetchError).toEqual(new Error("mine"));
    fails = false;
    await act(async () => gap(s, 1));
    expect(result.current).toEqual({ status: "queued", stale: false });
  });

  test("it is the newest render's", async () => {
    const s = stage();
    const [first, second] = [vi.fn(), vi.fn()];
    const { rerender } = renderHook(({ refetch }) => useProgress("1", { refetch }), {
      wrapper: s.around,
      initialProps: { refetch: first },
    });
    rerender({ refetch: second });
    await s.up();
    expect(first).not.toHaveBeenCalled();
    expect(second).toHaveBeenCalledTimes(1);
  });

  test("an unmount while it is asked aborts it, and nobody hears the answer", async () => {
    const s = stage();
    const { asked, refetch } = question();
    const { unmount } = renderHook(() => useProgress("1", { refetch }), { wrapper: s.around });
    await s.up();
    unmount();
    expect(asked[0]?.signal.aborted).toBe(true);
    asked[0]?.fail(new DOMException("aborted", "AbortError")); // as fetch does: no unhandled rejection
    await settle();
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

test("hidden for a while, it knows that it has not listened", async () => {
  const s = stage();
  const { asked, refetch } = question();
  const shown: { status: string; stale: boolean }[] = [];
  const run = () => {
    shown.push(useProgress("1", { refetch }));
    return null;
  };
  const tree = (mode: "visible" | "hidden") => (
    <Activity mode={mode}>
      <Run run={run} />
    </Activity>
  );
  const { rerender } = render(tree("visible"), { wrapper: s.around });
  await s.up();
  await act(async () => progress(s, 1, 40));
  rerender(tree("hidden"));
  await act(async () => completed(s, 2)); // unheard
  asked.length = 0;
  rerender(tree("visible"));
  await act(settle);
  expect(shown.at(-1)).toMatchObject({ status: "progress", stale: true });
  await act(async () => asked[0]?.answer({ status: "completed" }));
  expect(shown.at(-1)).toEqual({ status: "completed", stale: false });
});
