// @vitest-environment jsdom
import { act, renderHook } from "@testing-library/react";
import { describe, expect, test } from "vitest";
import { settle, ts } from "./kit.ts";
import { stage, tidy, useConnectionState, useLatest } from "./react-kit.tsx";

tidy();

describe("useLatest", () => {
  test("shows the newest of a burst, and nothing before the first", async () => {
    const s = stage();
    const shown: unknown[] = [];
    renderHook(() => shown.push(useLatest("COUNT")), { wrapper: s.around });
    await s.up();
    await act(async () => {
      for (let i = 1; i <= 100; i++) s.socket.event("COUNT", i, i);
    });
    expect(shown.at(0)).toBeUndefined();
    expect(shown.at(-1)).toBe(100);
    expect(shown.length).toBeLessThan(20); // 100 events, a handful of renders
  });

  test("by key; ended by the buffered event of that key", async () => {
    const s = stage();
    const page = renderHook(() => useLatest("JOB_PROGRESS", "job:1")?.progress, { wrapper: s.around });
    await s.up();
    const progress = (at: number, id: string, progress: number) =>
      s.socket.event("JOB_PROGRESS", at, { jobId: id, progress, label: "" }, { class: "latest", key: `job:${id}` });
    await act(async () => progress(1, "1", 10));
    await act(async () => progress(2, "2", 99));
    expect(page.result.current).toBe(10);
    await act(async () => s.socket.event("JOB_COMPLETED", 3, { jobId: "1" }, { key: "job:1" }));
    expect(page.result.current).toBeUndefined();
  });

  test("a gap takes away what it made doubtful", async () => {
    const s = stage();
    const page = renderHook(() => useLatest("COUNT"), { wrapper: s.around });
    await s.up();
    await act(async () => s.socket.event("COUNT", 1, 1));
    await act(async () => s.socket.frame({ type: "hub.gap", payload: { reason: "lagged" }, timestamp: ts(5) }));
    expect(page.result.current).toBeUndefined();
  });

  test("destroy takes away everything", async () => {
    const s = stage();
    const page = renderHook(() => [useLatest("COUNT"), useConnectionState().phase], { wrapper: s.around });
    await s.up();
    await act(async () => s.socket.event("COUNT", 1, 1));
    expect(page.result.current).toEqual([1, "connected"]);
    await act(async () => s.client.destroy());
    expect(page.result.current).toEqual([undefined, "closed"]);
  });

  test("what came before the component is there in its first render", async () => {
    const s = stage();
    await s.dial();
    s.socket.up();
    s.socket.event("COUNT", 1, 7);
    const shown: unknown[] = [];
    renderHook(() => shown.push(useLatest("COUNT")), { wrapper: s.around });
    expect(shown[0]).toBe(7);
  });
});

describe("useConnectionState", () => {
  test("follows the client", async () => {
    const s = stage();
    const seen: string[] = [];
    renderHook(
      () => {
        const { phase, stale, reason } = useConnectionState();
        const now = [phase, stale ? "stale" : "", reason].filter(Boolean).join(" ");
        if (seen.at(-1) !== now) seen.push(now);
      },
      { wrapper: s.around },
    );
    await act(settle);
    await act(async () => s.socket.hello(0));
    await act(async () => s.socket.live(0));
    await s.cut();
    await act(async () => s.socket.up(0));
    await act(async () => s.socket.end(4403, "revoked"));
    expect(seen).toEqual([
      "idle stale",
      "connecting stale",
      "connected stale",
      "connected",
      "reconnecting stale lost",
      "connected",
      "closed stale revoked",
    ]);
  });

  test("the same reference until something changes", async () => {
    const s = stage();
    const page = renderHook(() => useConnectionState(), { wrapper: s.around });
    await s.up();
    const before = page.result.current;
    await act(async () => s.socket.event("COUNT", 1, 1));
    page.rerender();
    expect(page.result.current).toBe(before);
    expect(before).toBe(s.client.state);
  });
});
