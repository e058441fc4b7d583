import type { Cursor, Frame } from "../../src/types.ts";
import type { Entry, PageRecord } from "./record.ts";

export type Scope = "user" | "all";

/** An event as the hub has taken it. `n` is its payload's number, unique in a test. */
export interface Published {
  scope: Scope;
  user: string | null;
  timestamp: string;
  class: "buffered" | "transient" | "latest";
  n: number;
  key?: string;
  except?: string;
}

/** Who the page is, and where everything came to rest. */
export interface Rest {
  user: string;
  device?: string;
  /** The hub's cursor, when nothing was under way. */
  hub: Cursor;
  /** The client's. */
  client: Cursor | null;
  bufferSize: number;
}

/**
 * Says what was wrong with all that a page saw, given all that was published: the hub's
 * promises (I1 to I6, as package documentation numbers them), on each socket and to the
 * handlers across all of them.
 */
export function judge(published: Published[], record: PageRecord, rest: Rest): string[] {
  const trial = new Trial(published, record, rest);
  for (const entry of record.entries) trial.hear(entry);
  return trial.end();
}

/** How far somebody has got in one scope, and whether it heard everything on its way. */
class Reader {
  readonly #due: Published[];
  #at: string | null = null;

  /** due: the buffered events of a scope that this reader is to hear, in order. */
  constructor(due: Published[]) {
    this.#due = due;
  }

  /** Where it begins; later calls change nothing. */
  begin(timestamp: string) {
    this.#at ??= timestamp;
  }

  /** It was told that up to there something is missing. */
  forgive(timestamp: string) {
    if (this.#at === null || this.#at < timestamp) this.#at = timestamp;
  }

  event(timestamp: string): string[] {
    if (this.#at === null) return [`I1: ${timestamp} before hub.hello`];
    if (timestamp <= this.#at) return [`I1: ${timestamp} after ${this.#at}`];
    const found = this.#lost(timestamp, false);
    this.#at = timestamp;
    return found;
  }

  /** The hub says that it has sent everything up to there. */
  reach(timestamp: string): string[] {
    const found = this.#lost(timestamp, true);
    this.forgive(timestamp);
    return found;
  }

  #lost(to: string, inclusive: boolean): string[] {
    const from = this.#at;
    if (from === null) return [];
    return this.#due
      .filter(({ timestamp: t }) => t > from && (t < to || (inclusive && t === to)))
      .map(({ n, timestamp }) => `I2: event ${n} of ${timestamp} lost between ${from} and ${to}`);
  }
}

type Readers = Record<Scope, Reader>;

class Trial {
  readonly #published: Published[];
  readonly #record: PageRecord;
  readonly #rest: Rest;
  readonly #violations = new Set<string>();
  readonly #byNumber: Map<number, Published>;
  readonly #wires: Readers[] = [];
  readonly #handlers: Readers;
  /** Sockets whose verdict was a gap, and whose hub.gap has not come. */
  readonly #announced = new Set<number>();
  readonly #transients = new Set<number>();
  /** By socket: where a client was that was told of a gap in the same epoch. */
  readonly #doubts = new Map<number, Record<Scope, string>>();
  /** The socket that is the client's: others' frames are nothing to it. */
  #current = -1;
  #live = false;
  /** A gap that onGap has not told yet. */
  #owed = false;

  constructor(published: Published[], record: PageRecord, rest: Rest) {
    this.#published = published;
    this.#record = record;
    this.#rest = rest;
    this.#byNumber = new Map(published.map((p) => [p.n, p]));
    this.#handlers = this.#readers();
  }

  #readers(): Readers {
    const due = (scope: Scope) =>
      this.#published.filter((p) => p.scope === scope && p.class === "buffered" && this.#meant(p));
    return { user: new Reader(due("user")), all: new Reader(due("all")) };
  }

  /** Whether an event is for this page. */
  #meant(p: Published): boolean {
    if (p.except !== undefined && p.except === this.#rest.device) return false;
    return p.scope === "all" || p.user === this.#rest.user;
  }

  #blame(where: string, ...what: string[]) {
    for (const one of what) this.#violations.add(`${where}: ${one}`);
  }

  hear(entry: Entry) {
    switch (entry.kind) {
      case "socket":
        this.#current = entry.socket;
        this.#wires[entry.socket] = this.#readers();
        this.#live = false;
        return;
      case "frame":
        return this.#frame(entry.socket, entry.frame);
      case "event": {
        const { scope, timestamp, latest } = entry.meta;
        const { n } = entry.payload as { n: number };
        this.#blame(
          "handlers",
          ...this.#handlers[scope].event(timestamp),
          ...this.#genuine(n, scope, timestamp, latest),
        );
        return;
      }
      case "gap":
        if (!this.#owed) this.#blame("handlers", `I4: onGap (${entry.reason}) without a gap`);
        this.#owed = false;
        return;
      case "error":
        this.#blame("client", `error: ${entry.text}`);
    }
  }

  #frame(socket: number, frame: Frame) {
    const where = `socket ${socket}`;
    const wire = this.#wires[socket] as Readers;
    const scope: Scope = frame.scope === "all" ? "all" : "user";
    const { timestamp = "", type } = frame;
    const mine = socket === this.#current;
    switch (type) {
      case "hub.hello": {
        const { globalTimestamp, verdict } = frame.payload as { globalTimestamp: string; verdict: string };
        wire.user.begin(timestamp);
        wire.all.begin(globalTimestamp);
        this.#handlers.user.begin(timestamp);
        this.#handlers.all.begin(globalTimestamp);
        this.#blame(where, ...this.#verdict(socket, frame, verdict));
        if (verdict === "gap") {
          this.#announced.add(socket);
          if (mine) this.#gap({ user: timestamp, all: globalTimestamp });
        }
        return;
      }
      case "hub.gap":
        this.#announced.delete(socket);
        wire[scope].forgive(timestamp);
        if (mine) this.#gap({ [scope]: timestamp });
        return;
      case "hub.live":
        if (this.#announced.has(socket)) this.#blame(where, "I2: verdict gap, and no hub.gap before hub.live");
        if (mine) this.#live = true;
        this.#blame(where, ...wire.user.reach(timestamp), ...this.#needless(socket, timestamp));
        return;
      case "hub.heartbeat":
        this.#blame(where, ...wire.user.reach(timestamp));
        return;
      case "hub.expiring":
        return;
    }
    const { n } = frame.payload as { n: number };
    this.#blame(
      where,
      ...wire[scope].event(timestamp),
      ...this.#genuine(n, scope, timestamp, frame.class === "latest"),
    );
    if (frame.class === "transient") this.#blame(where, ...this.#transient(socket, n, timestamp));
  }

  /** The client has been told that something is missing up to there: by the verdict already, should the rest be cut off. */
  #gap(up: Partial<Record<Scope, string>>) {
    this.#owed = true;
    if (up.user) this.#handlers.user.forgive(up.user);
    if (up.all) this.#handlers.all.forgive(up.all);
  }

  /** A client claims what its handlers have heard, and no more; what the hub answers must follow from it. */
  #verdict(socket: number, hello: Frame, verdict: string): string[] {
    const asked = new URL(this.#record.sockets[socket]?.url ?? "").searchParams;
    const from = asked.get("lastEventTs");
    const all = asked.get("lastGlobalTs");
    if (from !== null) this.#blame("handlers", ...this.#handlers.user.reach(from));
    if (all !== null) this.#blame("handlers", ...this.#handlers.all.reach(all));
    if (from === null) return verdict === "fresh" ? [] : [`verdict ${verdict} without a cursor`];
    if (verdict === "fresh") return ["verdict fresh for a cursor"];
    const { epoch } = hello.payload as { epoch: string };
    if (verdict === "resumed") {
      if (asked.get("epoch") !== epoch) return ["I4: resumed in another epoch"];
      return from === hello.timestamp ? [] : [`I2: resumed at ${hello.timestamp}, asked for ${from}`];
    }
    if (asked.get("epoch") === epoch) this.#doubts.set(socket, { user: from, all: all ?? from });
    return [];
  }

  /** A gap within an epoch: more cannot have been evicted than was published by the time of hub.live. */
  #needless(socket: number, live: string): string[] {
    const from = this.#doubts.get(socket);
    if (!from) return [];
    const since = (scope: Scope) =>
      this.#published.filter(
        (p) =>
          p.scope === scope &&
          p.class === "buffered" &&
          (scope === "all" || (p.user === this.#rest.user && p.timestamp <= live)) &&
          p.timestamp > from[scope],
      ).length;
    const most = Math.max(since("user"), since("all"));
    return most > this.#rest.bufferSize ? [] : [`I4: a gap after ${from.user}, though only ${most} events followed`];
  }

  /** An event that somebody published, for this page, at this time. */
  #genuine(n: number, scope: Scope, timestamp: string, latest: boolean): string[] {
    const p = this.#byNumber.get(n);
    if (!p) return [`I6: event ${n} was never published`];
    if (p.scope !== scope || !this.#meant(p)) return [`I6: event ${n} is not for this page`];
    if (latest !== (p.class === "latest")) return [`event ${n} has lost its class`];
    // Latest values are stamped anew where a connection begins.
    return latest || p.timestamp === timestamp ? [] : [`I1: event ${n} of ${p.timestamp} came as ${timestamp}`];
  }

  #transient(socket: number, n: number, timestamp: string): string[] {
    const found: string[] = [];
    // The socket was made before the hub heard of it.
    if (Date.parse(timestamp) < (this.#record.sockets[socket]?.at ?? 0)) found.push(`I5: transient ${n} was replayed`);
    if (this.#transients.has(n)) found.push(`I5: transient ${n} came twice`);
    this.#transients.add(n);
    return found;
  }

  end(): string[] {
    const { hub, client } = this.#rest;
    this.#blame("handlers", ...this.#handlers.user.reach(hub.lastEventTs));
    this.#blame("handlers", ...this.#handlers.all.reach(hub.lastGlobalTs ?? ""));
    if (this.#owed) this.#blame("handlers", "I2: a gap that onGap did not tell");
    if (!this.#live) this.#blame("client", "I3: not live at rest");
    if (client?.epoch !== hub.epoch) this.#blame("client", `I3: epoch ${client?.epoch}, the hub's is ${hub.epoch}`);
    if (client?.lastEventTs !== hub.lastEventTs)
      this.#blame("client", `I3: cursor ${client?.lastEventTs}, the hub is at ${hub.lastEventTs}`);
    return [...this.#violations];
  }
}
