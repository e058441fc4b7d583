// A hub small enough to be believed: the log, the verdict and the replay of the Go
// code, without sockets and clocks. Property tests run the client against it.

import type { Frame } from "../src/index.ts";
import { type FakeSocket, ts } from "./kit.ts";

export type Random = () => number;

/** Mulberry32: the same seed, the same schedule. */
export function seeded(seed: number): Random {
  let a = seed;
  return () => {
    a = (a + 0x6d2b79f5) | 0;
    let t = Math.imul(a ^ (a >>> 15), 1 | a);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

export interface Entry {
  at: number;
  kind: "buffered" | "transient" | "latest";
  key: string | undefined;
  /** Unique over all logs and epochs. */
  id: number;
  frame: Frame;
}

/** One log: a ring, the latest values, transients. Timestamps are µs, as numbers. */
export class Log {
  last: number;
  floor: number;
  readonly born: number;
  ring: Entry[] = [];
  slots: Entry[] = [];
  recent: Entry[] = [];
  /** Everything that was ever published here, for the oracle. */
  readonly all: Entry[] = [];

  constructor(
    readonly epoch: string,
    readonly scope: "user" | "all",
    start: number,
    readonly size: number,
  ) {
    this.last = this.floor = this.born = start;
  }

  publish(type: string, kind: Entry["kind"], id: number, step: number, key?: string): Entry {
    const at = this.last + step;
    const frame: Frame = {
      type,
      payload: id,
      timestamp: ts(at),
      ...(kind !== "buffered" && { class: kind }),
      ...(key !== undefined && { key }),
      ...(this.scope === "all" && { scope: "all" }),
    };
    const entry = { at, kind, key, id, frame };
    this.last = at;
    this.all.push(entry);
    if (kind === "transient") this.recent.push(entry);
    else if (kind === "latest") this.slots = [...this.slots.filter((s) => s.key !== key), entry];
    else {
      if (key !== undefined) this.slots = this.slots.filter((s) => s.key !== key);
      this.ring.push(entry);
      if (this.ring.length > this.size) this.evict();
    }
    return entry;
  }

  evict() {
    const gone = this.ring.shift();
    if (gone) this.floor = gone.at;
  }
}

interface Tail {
  log: Log;
  cursor: number;
  since: number;
  gap: string;
  prologue: Entry[];
}

const start = (tail: Tail) => tail.cursor - tail.prologue.length;

/** One connection: two cursors and a socket. */
export class Conn {
  private readonly user: Tail;
  private readonly everyone: Tail;
  private live = false;
  private greeted = false;
  private readonly verdict: string;
  private readonly reason: string;

  constructor(
    readonly hub: Hub,
    readonly socket: FakeSocket,
  ) {
    const { lastEventTs, lastGlobalTs, epoch = "" } = socket.query;
    const user = judge(hub.user, lastEventTs, epoch);
    const everyone = judge(hub.everyone, lastGlobalTs ?? lastEventTs, epoch, lastGlobalTs === undefined);
    this.user = user.tail;
    this.everyone = everyone.tail;
    // One verdict speaks for both logs.
    const gap = [user, everyone].find((j) => j.verdict === "gap");
    this.verdict = gap ? "gap" : user.verdict;
    this.reason = gap?.tail.gap ?? "";
  }

  /** The next frame that the hub would write, if there is one. */
  next(): Frame | undefined {
    if (!this.greeted) {
      this.greeted = true;
      return {
        type: "hub.hello",
        payload: {
          epoch: this.hub.epoch,
          verdict: this.verdict,
          reason: this.reason,
          globalTimestamp: ts(start(this.everyone)),
          heartbeatMs: 25_000,
        },
        timestamp: ts(start(this.user)),
      };
    }
    const event = collect(this.user) ?? collect(this.everyone);
    if (event) return event;
    if (this.live) return undefined;
    this.live = true;
    return { type: "hub.live", payload: null, timestamp: ts(this.user.cursor) };
  }

  /** Sends up to n frames. */
  pump(n = Number.POSITIVE_INFINITY) {
    for (let i = 0; i < n && this.socket.readyState === 1; i++) {
      const frame = this.next();
      if (!frame) return;
      this.socket.frame(frame);
    }
  }

  /** hub.heartbeat, which is for silence: everything else has been sent. */
  beat() {
    this.pump();
    this.socket.frame({ type: "hub.heartbeat", payload: null, timestamp: ts(this.user.cursor) });
  }
}

function judge(log: Log, claim: string | undefined, epoch: string, loose = false): { verdict: string; tail: Tail } {
  const values = (to: number) => log.slots.filter((s) => s.at <= to);
  if (!claim) {
    return { verdict: "fresh", tail: { log, cursor: log.last, since: log.last, gap: "", prologue: values(log.last) } };
  }
  let at = parse(claim);
  if (loose) at = Math.min(at, log.last);
  let gap = "";
  if (Number.isNaN(at)) gap = "unknown_cursor";
  else if (epoch && epoch !== log.epoch) gap = "restarted";
  else if (at > log.last) gap = "unknown_cursor";
  else if (at < log.floor) gap = at < log.born ? "restarted" : "evicted";
  if (!gap) return { verdict: "resumed", tail: { log, cursor: at, since: log.last, gap, prologue: [] } };
  return { verdict: "gap", tail: { log, cursor: log.floor, since: log.last, gap, prologue: values(log.floor) } };
}

function collect(tail: Tail): Frame | undefined {
  const { log } = tail;
  if (tail.cursor < log.floor && !tail.gap) {
    // The log has outrun the connection.
    tail.prologue = log.slots.filter((s) => s.at <= log.floor && (s.at > tail.cursor || tail.prologue.includes(s)));
    tail.cursor = log.floor;
    tail.gap = "lagged";
  }
  if (tail.gap) {
    const reason = tail.gap;
    tail.gap = "";
    const scope = log.scope === "all" ? { scope: "all" } : {};
    return { type: "hub.gap", payload: { reason }, timestamp: ts(start(tail)), ...scope };
  }
  const value = tail.prologue.shift();
  if (value) return { ...value.frame, timestamp: ts(tail.cursor - tail.prologue.length) };
  const transients = log.recent.filter((e) => e.at > Math.max(tail.cursor, tail.since));
  const next = [...log.ring, ...log.slots, ...transients]
    .filter((e) => e.at > tail.cursor)
    .sort((a, b) => a.at - b.at)[0];
  if (!next) {
    tail.cursor = Math.max(tail.cursor, log.last);
    return undefined;
  }
  tail.cursor = next.at;
  return next.frame;
}

/** The inverse of ts. */
function parse(text: string): number {
  const ms = Date.parse(`${text.slice(0, 23)}Z`) - 1_700_000_000_000;
  return ms * 1000 + Number(text.slice(23, 26));
}

/** A user's log and everyone's, over restarts. */
export class Hub {
  epoch = "";
  user!: Log;
  everyone!: Log;
  private boots = 0;
  private ids = 0;
  /** Logs of earlier epochs, for the oracle. */
  readonly past: Log[] = [];

  constructor(
    private readonly size: number,
    private readonly random: Random,
  ) {
    this.boot(1_000_000);
  }

  private boot(at: number) {
    this.epoch = `e${++this.boots}`;
    this.user = new Log(this.epoch, "user", at, this.size);
    this.everyone = new Log(this.epoch, "all", at, this.size);
  }

  /** The process ends and another begins, sometimes with a clock that is behind. */
  restart() {
    this.past.push(this.user, this.everyone);
    const jump = this.random() < 0.3 ? -5_000 : 5_000;
    this.boot(Math.max(this.user.last, this.everyone.last) + jump);
  }

  /** Publishes something at random and returns it. */
  publish(): Entry {
    const pick = this.random();
    const log = this.random() < 0.25 ? this.everyone : this.user;
    const step = 1 + Math.floor(this.random() * 3);
    const key = `job:${Math.floor(this.random() * 4)}`;
    const id = ++this.ids;
    if (pick < 0.15) return log.publish("NOTE_PROGRESS", "transient", id, step);
    if (pick < 0.4) return log.publish("JOB_PROGRESS", "latest", id, step, key);
    if (pick < 0.55) return log.publish("JOB_COMPLETED", "buffered", id, step, key);
    return log.publish("CHANGED", "buffered", id, step);
  }

  /** What hub.Cursor renders into a page. */
  cursor() {
    return { epoch: this.epoch, lastEventTs: ts(this.user.last), lastGlobalTs: ts(this.everyone.last) };
  }
}
