import type { Meta } from "@usercast/client";
import { type Monitor, useHubMonitor } from "@usercast/client/monitor";
import { createContext, type ReactNode, use, useEffect, useState } from "react";
import { useClient, useEvent } from "../hub.ts";

/** An event as the monitor lists it. */
export interface Heard {
  /** Counts up; the newest is first. */
  n: number;
  meta: Meta;
  at: number;
  payload: unknown;
}

interface MonitorData {
  own: Monitor;
  heard: readonly Heard[];
}

/** How often the hub is asked how long its answer takes. */
const probeMs = 5_000;
const maxHeard = 100;

const context = createContext<MonitorData | null>(null);

export function useMonitorData(): MonitorData {
  const data = use(context);
  if (!data) throw new Error("orders: no MonitorProvider above");
  return data;
}

/** Counts from the login on, and not only while the monitor is looked at. */
export function MonitorProvider({ children }: { children: ReactNode }) {
  const own = useHubMonitor(useClient(), options);
  const [heard, set] = useState<readonly Heard[]>([]);
  const [waiting] = useState<Heard[]>([]);
  useEvent("*", (payload, meta) => {
    waiting.unshift({ n: (waiting[0]?.n ?? 0) + 1, meta, at: Date.now(), payload });
    waiting.length = Math.min(waiting.length, maxHeard);
  });
  // By the half second: a burst must not draw the page a hundred times.
  useEffect(() => {
    const timer = setInterval(() => set((old) => (old[0] === waiting[0] ? old : [...waiting])), 500);
    return () => clearInterval(timer);
  }, [waiting]);
  return <context.Provider value={{ own, heard }}>{children}</context.Provider>;
}

const options = { probeMs };
