// What must hold of what one page was told, whatever happened to its connection.

import { expect } from "vitest";
import type { Client, Cursor, Gap, Meta } from "../src/index.ts";
import type { Entry, Hub, Log } from "./hub.ts";
import { ts } from "./kit.ts";

interface Told {
  gap: Gap;
  /** How many events had been published before. */
  published: number;
}

/** Writes down everything that a client tells and judges it. */
export class Witness {
  /** id → how often it came. */
  private readonly seen = new Map<number, number>();
  private readonly order: Record<string, string> = {};
  readonly gaps: Told[] = [];
  /** Where the page's account begins: everything after it must come. */
  start: Cursor | null;

  constructor(
    readonly client: Client,
    private readonly hub: Hub,
    private readonly kinds: Map<number, Entry["kind"]>,
    /** Events may come again with a gap: the socket is shared, and resumed for another. */
    private readonly shared = false,
  ) {
    this.start = client.cursor;
    client.on("*", (payload, meta) => this.event(payload as number, meta));
    client.onGap((gap) => {
      this.gaps.push({ gap, published: this.kinds.size });
    });
  }

  private event(id: number, meta: Meta) {
    const count = (this.seen.get(id) ?? 0) + 1;
    this.seen.set(id, count);
    const kind = this.kinds.get(id);
    // The newest value of a key comes again where a connection starts.
    if (kind !== "latest" && !this.shared) expect(count, `event ${id} (${kind}) came ${count} times`).toBe(1);
    expect(meta.transient, `transient of ${id}`).toBe(kind === "transient");
    expect(meta.latest, `latest of ${id}`).toBe(kind === "latest");
    expect(this.client.latest(meta.type), `latest(${meta.type})`).toBe(id);
    const cursor = this.client.cursor;
    const mine = meta.scope === "all" ? cursor?.lastGlobalTs : cursor?.lastEventTs;
    expect(meta.timestamp > (mine ?? ""), `the cursor had moved before the handler of ${id}`).toBe(true);
    const place = `${cursor?.epoch} ${meta.scope}`;
    if (kind === "buffered" && !this.shared) {
      expect(meta.timestamp > (this.order[place] ?? ""), `${id} came out of order`).toBe(true);
      this.order[place] = meta.timestamp;
    }
  }

  /** Judges, once everything has been delivered. lossy: a connection has lagged, so values may be unknown. */
  atRest(lossy: boolean) {
    const { client, hub } = this;
    expect(client.state).toMatchObject({ phase: "connected", stale: false });
    expect({ ...client.cursor, lastGlobalTs: "" }).toEqual({ ...hub.cursor(), lastGlobalTs: "" });
    // The hub says nothing of transients to everyone that were before this connection's time.
    const ahead = hub.everyone.all.filter((e) => ts(e.at) > (client.cursor?.lastGlobalTs ?? ""));
    expect(ahead.filter((e) => e.kind !== "transient")).toEqual([]);
    for (const log of [...hub.past, hub.user, hub.everyone]) this.complete(log);
    this.values(lossy);
  }

  /** Every buffered event has come, or a gap was told that covers it. */
  private complete(log: Log) {
    const start = this.startIn(log);
    if (start === undefined) return;
    for (const entry of log.all) {
      if (entry.kind !== "buffered" || ts(entry.at) <= start || this.seen.has(entry.id)) continue;
      const covered = this.gaps.some(({ gap, published }) => published >= entry.id && this.covers(gap, log, entry));
      expect(covered, `event ${entry.id} of ${log.epoch} ${log.scope} was lost and nobody told`).toBe(true);
    }
  }

  private startIn(log: Log): string | undefined {
    if (!this.start) return undefined;
    if (this.start.epoch !== log.epoch) return epochNumber(this.start.epoch) < epochNumber(log.epoch) ? "" : undefined;
    return log.scope === "all" ? this.start.lastGlobalTs : this.start.lastEventTs;
  }

  private covers({ from }: Gap, log: Log, entry: Entry): boolean {
    if (!from || from.epoch !== log.epoch) return !from || epochNumber(from.epoch) < epochNumber(log.epoch);
    const mine = log.scope === "all" ? from.lastGlobalTs : from.lastEventTs;
    return (mine ?? "") < ts(entry.at);
  }

  /** Values of keys are the hub's. */
  private values(lossy: boolean) {
    for (let i = 0; i < 4; i++) {
      const key = `job:${i}`;
      const mine = this.client.latest("JOB_PROGRESS", key);
      // Both logs may have one; the client keeps the newer of the two that came.
      const hubs = [this.hub.user, this.hub.everyone].flatMap((log) =>
        log.slots.filter((s) => s.key === key).map((s) => ({ id: s.id, old: ts(s.at) <= (this.startIn(log) ?? "") })),
      );
      const ids = hubs.map((s) => s.id);
      // A page that began with a cursor has what was before it in its own data.
      const unknown = lossy || hubs.every((s) => s.old) || this.hadBoth(key);
      if (mine === undefined && unknown) continue;
      expect(ids, `latest(JOB_PROGRESS, ${key})`).toContain(mine);
    }
  }

  /** A value of one scope may have taken the place of the other's, and ended since. */
  private hadBoth(key: string) {
    const had = (log: Log) => log.all.some((e) => e.kind === "latest" && e.key === key);
    return had(this.hub.user) && had(this.hub.everyone);
  }
}

const epochNumber = (epoch: string) => Number(epoch.slice(1));
