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
  let store = options.cursor;
  let cursor: Cursor | null = null;
  /** Everything that was missed on this connection has come. */
  let live = false;
  /** Missing events that the page has not yet been told of. It outlives connections. */
  let gap: Gap | null = null;

  guard(() => {
    cursor = checked(options.initialCursor ?? store?.load());
  });

  /**
   * What is untold must not be saved: the page that loads it would resume behind the
   * gap and never hear of it.
   */
  function save() {
    if (gap) return;
    try {
      store?.save(cursor);
    } catch (error) {
      store = undefined; // or onError would hear of it at every event
      report(error);
    }
  }

  /** Moves the cursor on. It never goes back but by hub.hello. */
  function move(frame: Frame) {
    if (!isNew(frame)) return;
    cursor = Object.freeze({ ...(cursor as Cursor), [place(frame)]: frame.timestamp });
    save();
  }

  const isNew = (frame: Frame) => cursor && (frame.timestamp as string) > (cursor[place(frame)] ?? "");

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
      if (!same || before.lastEventTs !== start.lastEventTs) values.drop();
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
    if (!told) return;
    onGap(told);
    save();
  }

  function event(frame: Frame) {
    const { type, payload, timestamp, class: kind, key, scope } = frame;
    if (!isNew(frame)) return;
    values.set(frame);
    onEvent(payload, {
      type,
      timestamp: timestamp as string,
      replayed: !live,
      transient: kind === "transient",
      latest: kind === "latest",
      key,
      scope: scope === "all" ? "all" : "user",
    });
    move(frame);
  }

  return {
    values,
    cursor: () => cursor,
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
      cursor = gap = null;
      values.drop();
      values.drop("all");
      save();
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
