// @vitest-environment jsdom
import { act, render, renderHook } from "@testing-library/react";
import { Activity } from "react";
import { describe, expect, test, vi } from "vitest";
import { settle } from "./kit.ts";
import { completed, gap, progress, question, Run, stage, tidy, useProgress } from "./react-kit.tsx";

tidy();

const key = "job:1";

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
