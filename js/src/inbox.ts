import type { Guard } from "./handlers.ts";
import type { Cursor, Frame, Gap, Meta, Options } from "./types.ts";
import { createValues, type Values } from "./values.ts";

/** What the hub says in hub.hello, as far as it matters here. */
export interface Hello {
  epoch: string;
  verdict: "fresh" | "resumed" | "gap";
  reason: string;
  globalTimestamp: string;
  heartbeatMs: number;
}

/** Where the hub's frames end up, whichever socket brought them: cursor, values, handlers. */
export interface Inbox {
  readonly values: Values;
  cursor(): Cursor | null;
  adopt(cursor: Cursor): void;
  receive(frame: Frame): void;
  destroy(): void;
}

export function createInbox(
  options: Options,
  guard: Guard,
  report: (error: unknown) => void,
  onEvent: (payload: unknown, meta: Meta) => void,
  onGap: (gap: Gap) => void,
): Inbox {
  const values = createValues();
  const { cursor: store } = options;
  let cursor: Cursor | null = null;
  /** Everything that was missed on this connection has come. */
  let live = false;
  /** Missing events that the page has not yet been told of. It outlives connections. */
  let gap: Gap | null = null;
  let saveFailed = false;
  let destroyed = false;

  guard(() => {
    cursor = checked(options.initialCursor ?? store?.load());
  });

  /**
   * What is untold must not be saved: the page that loads it would resume behind the
   * gap and never hear of it.
   */
  function save() {
    if (gap || destroyed) return;
    try {
      store?.save(cursor);
      saveFailed = false;
    } catch (error) {
      if (!saveFailed) report(error); // once, not for every event
      saveFailed = true;
    }
  }

  /** Moves the cursor on. It never goes back but by hub.hello. */
  function move(frame: Frame): boolean {
    const at = place(frame);
    if (!cursor || !frame.timestamp || frame.timestamp <= (cursor[at] ?? "")) return false;
    cursor = Object.freeze({ ...cursor, [at]: frame.timestamp });
    save();
    return true;
  }

  function hello(frame: Frame) {
    const { epoch, verdict, reason, globalTimestamp } = frame.payload as Hello;
    const before = cursor;
    const start = { epoch, lastEventTs: frame.timestamp ?? "", lastGlobalTs: globalTimestamp };
    live = false;
    if (before?.epoch === epoch && verdict === "resumed") {
      // Where the hub begins again may be behind what this page has seen: a socket
      // that is shared resumes for the tab that is furthest behind.
      start.lastEventTs = later(before.lastEventTs, start.lastEventTs);
      start.lastGlobalTs = later(before.lastGlobalTs, start.lastGlobalTs);
    } else {
      if (before || verdict === "gap") gap = { reason: reason || "restarted", from: gap ? gap.from : before };
      const same = before?.epoch === epoch;
      if (!same || before.lastEventTs !== start.lastEventTs) values.drop(undefined);
      if (!same || before.lastGlobalTs !== start.lastGlobalTs) values.drop("all");
    }
    cursor = Object.freeze(start);
    save();
  }

  /** Its timestamp is where the hub goes on; the newest values follow as its immediate past. */
  function missed(frame: Frame) {
    values.drop(frame.scope);
    const { reason } = frame.payload as { reason: string };
    gap ??= { reason, from: cursor };
    move(frame);
    if (live) tell();
  }

  function tell() {
    const told = gap;
    gap = null;
    if (told) onGap(told);
    save();
  }

  function event(frame: Frame) {
    const { type, payload, timestamp, class: kind, key, scope } = frame;
    if (!timestamp) throw new TypeError(`usercast: event ${type} without a timestamp`);
    if (!cursor || timestamp <= (cursor[place(frame)] ?? "")) return; // seen before
    values.set(frame);
    onEvent(payload, {
      type,
      timestamp,
      replayed: !live,
      transient: kind === "transient",
      latest: kind === "latest",
      ...(key !== undefined && { key }),
      scope: scope === "all" ? "all" : "user",
    });
    move(frame);
  }

  return {
    values,
    cursor: () => cursor,
    adopt(start) {
      cursor ??= Object.freeze(start);
    },
    receive(frame) {
      switch (frame.type) {
        case "hub.hello":
          return hello(frame);
        case "hub.gap":
          return missed(frame);
        case "hub.live":
          live = true;
          move(frame);
          return tell();
        case "hub.heartbeat":
          // Before hub.live something older may still be on its way.
          if (live) move(frame);
          return;
        default:
          if (!frame.type.startsWith("hub.")) event(frame);
      }
    },
    destroy() {
      destroyed = true;
      cursor = gap = null;
      values.clear();
      guard(() => store?.save(null));
    },
  };
}

/** The scope's part of the cursor: timestamps of events to everyone are compared among themselves. */
const place = (frame: Frame) => (frame.scope === "all" ? "lastGlobalTs" : "lastEventTs");

/** The later of two timestamps: strings of one width compare. Others are not from the hub, whose word then counts. */
const later = (mine: string | undefined, hubs: string) => (mine?.length === hubs.length && mine > hubs ? mine : hubs);

/** What a store or a page brought, if it is a cursor. */
function checked(c: Cursor | null | undefined): Cursor | null {
  return c && typeof c.epoch === "string" && typeof c.lastEventTs === "string" ? Object.freeze({ ...c }) : null;
}
