// @vitest-environment jsdom
import { act, renderHook } from "@testing-library/react";
import { expect, test, vi } from "vitest";
import { type MonitorOptions, useHubMonitor } from "../src/react/monitor.ts";
import { pass, settle, ts } from "./kit.ts";
import { stage, tidy, useClient } from "./react-kit.tsx";

tidy();

type Stage = ReturnType<typeof stage>;
const tick = () => act(() => pass(1_000));

function monitor(s: Stage, options?: MonitorOptions) {
  let renders = 0;
  const hook = renderHook(
    () => {
      renders++;
      return useHubMonitor(useClient(), options);
    },
    { wrapper: s.around },
  );
  return {
    get now() {
      return hook.result.current;
    },
    get renders() {
      return renders;
    },
    unmount: hook.unmount,
  };
}

/** Answers all pings after ms. */
async function answer(s: Stage, ms: number) {
  await act(() => pass(ms));
  await act(async () => s.socket.pong());
}

test("offline, healthy, idle, healthy, offline", async () => {
  const s = stage();
  const m = monitor(s, { idleMs: 10_000 });
  expect(m.now).toEqual({ status: "offline", latencyMs: null, reconnects: 0, events: 0, gaps: 0 });
  await s.up();
  expect(m.now.status).toBe("healthy"); // the connection is young
  await act(() => pass(9_000));
  expect(m.now.status).toBe("healthy");
  await act(() => pass(2_000));
  expect(m.now.status).toBe("idle");
  await act(async () => s.socket.event("COUNT", 1, 1));
  await tick();
  expect(m.now.status).toBe("healthy");
  await act(() => pass(11_000));
  expect(m.now.status).toBe("idle");
  await s.cut();
  expect(m.now.status).toBe("offline");
  await act(async () => s.socket.up(1));
  expect(m.now.status).toBe("healthy");
});

test("counts events, gaps and connections after the first", async () => {
  const s = stage();
  const m = monitor(s);
  await s.up();
  await act(async () => {
    for (let i = 1; i <= 100; i++) s.socket.event("COUNT", i, i);
  });
  await s.again(200, { verdict: "gap", reason: "restarted", epoch: "e2" });
  await act(async () => s.socket.frame({ type: "hub.gap", payload: { reason: "lagged" }, timestamp: ts(300) }));
  await s.again(300, { epoch: "e2" });
  await tick();
  expect(m.now).toMatchObject({ events: 100, gaps: 2, reconnects: 2 });
});

test("mounted on a connection, the next one is the first reconnect", async () => {
  const s = stage();
  await s.dial();
  s.socket.up();
  const m = monitor(s);
  expect(m.now).toMatchObject({ status: "healthy", reconnects: 0 });
  await act(settle);
  await s.again(0);
  expect(m.now.reconnects).toBe(1);
});

test("measures the latency when connected and then every probeMs, never while offline", async () => {
  const s = stage();
  const m = monitor(s, { probeMs: 5_000 });
  await act(settle);
  expect(s.socket.sent).toEqual([]);
  await s.up();
  expect(s.socket.pings).toBe(1);
  expect(m.now.latencyMs).toBeNull();
  await answer(s, 30);
  expect(m.now.latencyMs).toBe(30);
  await act(() => pass(4_970));
  expect(s.socket.pings).toBe(2);
  await answer(s, 45);
  expect(m.now.latencyMs).toBe(45);
  await s.cut();
  expect(m.now.latencyMs).toBeNull();
  await act(async () => s.socket.up(0)); // sooner than the next was due: the new connection is measured
  expect(s.socket.pings).toBe(1);
  await s.cut();
  await act(() => pass(6_000));
  expect(s.socket.pings).toBe(0);
});

test("a probe that is lost with the connection is no error, and its answer no latency", async () => {
  const s = stage();
  const m = monitor(s);
  await s.up();
  await s.cut();
  expect(m.now).toMatchObject({ status: "offline", latencyMs: null });
  expect(s.errors).toEqual([]);
});

test("a burst is one render; silence is none", async () => {
  const s = stage();
  const m = monitor(s);
  await s.up();
  await answer(s, 10);
  const before = m.renders;
  await act(() => pass(20_000));
  expect(m.renders).toBe(before);
  for (let i = 1; i <= 100; i++) await act(async () => s.socket.event("COUNT", i, i));
  await tick();
  expect(m.now.events).toBe(100);
  expect(m.renders - before).toBeLessThanOrEqual(2); // StrictMode renders twice
});

test("an unmount in the middle of a probe leaves nothing", async () => {
  const s = stage();
  const m = monitor(s);
  await s.up();
  m.unmount();
  expect(vi.getTimerCount()).toBeGreaterThan(0); // the client's own, which tidy() sees end
  s.socket.pong();
  await settle();
});
