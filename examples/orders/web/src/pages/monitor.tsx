import { useQuery } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import type { HubStats } from "../api.ts";
import { useConnectionState } from "../hub.ts";
import { type Heard, useMonitorData } from "../shell/monitor-data.tsx";
import { Chart } from "../ui/chart.tsx";
import { count } from "../ui/format.tsx";
import { PageHead } from "../ui/page-head.tsx";
import { useSession } from "../use-session.ts";

const stepMs = 2_000;
/** Two minutes. */
const room = 60;

interface Sample {
  eventsPerSecond: number | null;
  connections: number | null;
  latencyMs: number | null;
}

const meanings = {
  healthy: "Connected, and events come.",
  idle: "Connected; nothing has happened for a minute.",
  offline: "Not connected: lists are fetched every 15 seconds instead.",
};

/** How the hub is, and how this page's connection to it is. */
export function MonitorPage() {
  const { api } = useSession();
  const { own, heard } = useMonitorData();
  const { phase } = useConnectionState();
  const connected = phase === "connected";
  const {
    data: hub,
    dataUpdatedAt,
    isError,
  } = useQuery({
    queryKey: ["monitor"],
    queryFn: ({ signal }) => api.monitor(signal),
    staleTime: 0,
    retry: false,
    refetchInterval: connected ? stepMs : 15_000,
  });
  const samples = useSamples(isError ? undefined : hub, own.latencyMs, dataUpdatedAt);
  return (
    <>
      <PageHead title="Monitor" hint="The hub as a whole, and this page's connection to it." />
      <section className={`status-card ${own.status}`} data-testid="monitor-status" data-status={own.status}>
        <span className="dot" aria-hidden="true" />
        <strong role="status">{own.status}</strong>
        <span>{meanings[own.status]}</span>
      </section>
      <div className="charts">
        <Chart
          title="Events per second"
          unit="/s"
          room={room}
          values={samples.map(({ eventsPerSecond }) => eventsPerSecond)}
        />
        <Chart title="Connections" unit="" room={room} values={samples.map(({ connections }) => connections)} />
        <Chart title="Latency of this page" unit="ms" room={room} values={samples.map(({ latencyMs }) => latencyMs)} />
      </div>
      <div className="tiles-pair">
        <HubTiles hub={hub} />
        <dl className="tiles" aria-label="This page">
          <Tile name="Latency" value={latency(own.latencyMs)} />
          <Tile name="Events heard" value={count(own.events)} />
          <Tile name="Reconnects" value={count(own.reconnects)} />
          <Tile name="Gaps here" value={count(own.gaps)} />
        </dl>
      </div>
      <EventLog heard={heard} />
    </>
  );
}

/** A sample of every answer of the hub's, and holes where it did not answer. */
function useSamples(hub: HubStats | undefined, latencyMs: number | null, at: number): readonly Sample[] {
  const [samples, set] = useState<readonly Sample[]>([]);
  // biome-ignore lint/correctness/useExhaustiveDependencies: a sample per answer, not per change of what it says
  useEffect(() => {
    const sample: Sample = {
      eventsPerSecond: hub?.eventsPerSecond ?? null,
      connections: hub?.connections ?? null,
      latencyMs,
    };
    set((old) => [...old, sample].slice(-room));
  }, [at, hub === undefined]);
  return samples;
}

function HubTiles({ hub }: { hub: HubStats | undefined }) {
  const figure = (value: number | undefined) => (value === undefined ? "–" : count(value));
  return (
    <dl className="tiles" aria-label="The hub">
      <Tile name="Connections" value={figure(hub?.connections)} />
      <Tile name="Users" value={figure(hub?.users)} />
      <Tile
        name="Events/s"
        value={hub ? hub.eventsPerSecond.toLocaleString("en-GB", { maximumFractionDigits: 1 }) : "–"}
      />
      <Tile name="Broadcasts" value={figure(hub?.broadcasts)} />
      <Tile name="Delivered" value={figure(hub?.delivered)} />
      <Tile name="Gaps" value={figure(hub?.gaps)} />
      <Tile name="Buffered" value={figure(hub?.buffered)} />
      <Tile name="Uptime" value={hub ? uptime(hub.uptimeMs) : "–"} />
    </dl>
  );
}

const latency = (ms: number | null) => (ms === null ? "–" : ms < 1 ? "< 1 ms" : `${Math.round(ms)} ms`);

function uptime(ms: number): string {
  const minutes = Math.floor(ms / 60_000);
  return minutes < 1
    ? `${Math.floor(ms / 1_000)} s`
    : minutes < 120
      ? `${minutes} min`
      : `${Math.floor(minutes / 60)} h`;
}

function Tile({ name, value }: { name: string; value: string }) {
  return (
    <div className="tile" data-testid="monitor-tile" data-name={name}>
      <dt>{name}</dt>
      <dd>{value}</dd>
    </div>
  );
}

function EventLog({ heard }: { heard: readonly Heard[] }) {
  return (
    <section className="card">
      <h2>What this page has heard</h2>
      {heard.length ? (
        <table className="table log">
          <caption className="sr">Events</caption>
          <thead>
            <tr>
              <th>Time</th>
              <th>Event</th>
              <th className="wide">Class</th>
              <th className="wide">Payload</th>
            </tr>
          </thead>
          <tbody>
            {heard.map(({ n, meta, at, payload }) => (
              <tr key={n} data-testid="event-row" data-type={meta.type}>
                <td>{new Date(at).toLocaleTimeString("en-GB")}</td>
                <td className="event-type">
                  {meta.type}
                  {meta.replayed && <span className="tag">replayed</span>}
                </td>
                <td className="wide">{meta.latest ? "latest" : meta.transient ? "transient" : "buffered"}</td>
                <td className="wide payload">{JSON.stringify(payload)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      ) : (
        <p className="quiet-text">Nothing yet. Change something on another device, or start a job here.</p>
      )}
    </section>
  );
}
