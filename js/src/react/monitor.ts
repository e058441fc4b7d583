import { useEffect, useState } from "react";
import type { Client, Unsubscribe } from "../types.ts";

export interface MonitorOptions {
  /** Connected without an event for so long is `idle`. Default 60,000. */
  idleMs?: number | undefined;
  /** How often the latency is measured while connected. Default 30,000; at most once a second. */
  probeMs?: number | undefined;
}

/** A snapshot. Counts begin when the component is mounted and are at most a second old. */
export interface Monitor {
  /**
   * - `healthy`: connected, and in the last `idleMs` an event came, or the connection.
   * - `idle`: connected, and nothing happens.
   * - `offline`: not connected.
   */
  readonly status: "healthy" | "idle" | "offline";
  /** Milliseconds from a ping to its pong; null before the first, and while offline. */
  readonly latencyMs: number | null;
  /** Connections after the first. */
  readonly reconnects: number;
  /** Events of all types, replayed ones too. */
  readonly events: number;
  /** How often events were missing and the page had to fetch its state again. */
  readonly gaps: number;
}

const offline: Monitor = { status: "offline", latencyMs: null, reconnects: 0, events: 0, gaps: 0 };

/**
 * What a monitor shows of a connection: `useHubMonitor(useClient())`. It opens no
 * socket; its probes go through the one that is there. One per page is enough. Other
 * options begin the counts anew.
 */
export function useHubMonitor<M extends object>(client: Client<M>, options: MonitorOptions = {}): Monitor {
  const { idleMs = 60_000, probeMs = 30_000 } = options;
  const [shown, show] = useState(offline);
  useEffect(() => watch(client, idleMs, probeMs, show), [client, idleMs, probeMs]);
  return shown;
}

/** Calls show with a snapshot, and again when something has changed. */
function watch<M extends object>(
  client: Client<M>,
  idleMs: number,
  probeMs: number,
  show: (now: Monitor) => void,
): Unsubscribe {
  const now = { ...offline } as { -readonly [K in keyof Monitor]: Monitor[K] };
  let connections = 0;
  /** When an event or the connection came. */
  let active = 0;
  let probed = 0;
  let shown = "";

  function look() {
    const time = Date.now();
    const connected = client.state.phase === "connected";
    if (connected && now.status === "offline") {
      now.reconnects = connections++;
      active = time;
      probed = 0;
    }
    now.status = !connected ? "offline" : time - active < idleMs ? "healthy" : "idle";
    if (!connected) now.latencyMs = null;
    else if (time - probed >= probeMs) {
      probed = time;
      client.ping().then(
        (ms) => {
          now.latencyMs = ms;
          look();
        },
        () => {}, // the connection is lost, and the state says so
      );
    }
    const text = JSON.stringify(now);
    if (text === shown) return;
    shown = text;
    show({ ...now });
  }

  // Events are counted when they come and shown by the second: a burst must not draw the monitor a hundred times.
  const timer = setInterval(look, 1_000);
  const undo = [
    client.subscribeState(look),
    client.onGap(() => {
      now.gaps++;
    }),
    client.on("*", () => {
      now.events++;
      active = Date.now();
    }),
    () => clearInterval(timer),
  ];
  look();
  return () => {
    for (const u of undo) u();
  };
}
