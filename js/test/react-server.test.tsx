// The environment is node: no document, and here no WebSocket either.
import { renderToString } from "react-dom/server";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { createClient } from "../src/index.ts";
import { useHubMonitor } from "../src/react/monitor.ts";
import {
  type Events,
  HubProvider,
  Run,
  useClient,
  useConnectionState,
  useEvent,
  useLatest,
  useProgress,
} from "./react-kit.tsx";

beforeEach(() => {
  vi.useFakeTimers();
  vi.stubGlobal("WebSocket", undefined);
  vi.spyOn(console, "error");
});

afterEach(() => {
  expect(console.error).not.toHaveBeenCalled();
  expect(vi.getTimerCount()).toBe(0);
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

const page = () => {
  useEvent("COUNT", () => {
    throw new Error("on a server nothing is heard");
  });
  const state = useConnectionState();
  const progress = useProgress("1", {
    refetch: () => {
      throw new Error("on a server nothing is asked");
    },
  });
  return JSON.stringify([state, useLatest("COUNT") ?? "none", progress, useHubMonitor(useClient())]);
};

test("renders without a WebSocket, connects nothing, and says so", () => {
  const getToken = vi.fn(() => "t");
  const html = renderToString(
    <HubProvider create={() => createClient<Events>({ url: "wss://hub.example/ws", getToken })}>
      <Run run={page} />
    </HubProvider>,
  );
  expect(JSON.parse(html.replaceAll("&quot;", '"'))).toEqual([
    { phase: "idle", attempt: 0, retryAt: null, stale: true },
    "none",
    { status: "unknown", stale: true },
    { status: "offline", latencyMs: null, reconnects: 0, events: 0, gaps: 0 },
  ]);
  expect(getToken).not.toHaveBeenCalled();
});

test("a client that the server's own code has used before shows nothing of itself", () => {
  const client = createClient<Events>({ url: "wss://hub.example/ws" });
  client.destroy(); // "closed": not what a browser begins with
  const html = renderToString(
    <HubProvider client={client}>
      <Run run={page} />
    </HubProvider>,
  );
  expect(html).toContain("idle");
});
