import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import conversations from "../conformance/frames.json" with { type: "json" };
import type { Cursor, Frame, Gap, Meta } from "../src/index.ts";
import { bench, pass, random, settle } from "./kit.ts";

// The hub's own words, recorded by the Go tests (conformance_test.go): what it says
// and what the client makes of it can only change together.

interface Conversation {
  name: string;
  cursor?: Cursor;
  sent?: string[];
  frames: string[];
  close?: { code: number; reason: string };
}

/** What the documentation says that a client does with a close code. */
const afterwards: Record<number, "stop" | "token" | "spread" | "retry"> = {
  1008: "retry",
  1009: "retry",
  1011: "retry",
  1012: "spread",
  1013: "retry",
  4401: "token",
  4403: "stop",
  4409: "stop",
  4429: "retry",
};

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

const all = conversations as Conversation[];
const isHubs = (frame: Frame) => frame.type.startsWith("hub.");
const parsed = (c: Conversation) => c.frames.filter((text) => text !== "pong").map((text) => JSON.parse(text) as Frame);

describe("the recorded conversations", () => {
  it("hold every close code of the documentation and no other", () => {
    const codes = new Set(all.flatMap((c) => c.close?.code ?? []));
    expect([...codes].sort()).toEqual(Object.keys(afterwards).map(Number).sort());
  });

  for (const conversation of all) {
    it(conversation.name, async () => {
      random(1);
      const { cursor = null, frames, close } = conversation;
      const reasons: string[] = [];
      const b = bench({
        initialCursor: cursor,
        getToken: ({ reason }) => {
          reasons.push(reason);
          return "t";
        },
      });
      const events: [unknown, Meta][] = [];
      const gaps: Gap[] = [];
      const log: string[] = [];
      b.client.on("*", (payload, meta) => {
        events.push([payload, meta]);
        log.push(meta.type);
      });
      b.client.onGap((gap) => {
        gaps.push(gap);
        log.push("gap");
      });
      const socket = await b.dial();
      expect(socket.query).toMatchObject({ ...cursor });

      let answered: Promise<number> | undefined;
      for (const text of frames) {
        socket.text(text);
        const type = text === "pong" ? text : (JSON.parse(text) as Frame).type;
        if (type === "hub.hello" && frames.includes("pong")) answered = b.client.ping();
        if (type === "hub.live") log.push("live");
      }
      await settle();

      expect(b.errors).toEqual([]);
      expect(events).toEqual(expectedEvents(parsed(conversation)));
      expect(gaps).toEqual(expectedGaps(parsed(conversation), cursor));
      expect(b.client.cursor).toEqual(expectedCursor(parsed(conversation)) ?? cursor);
      if (frames.includes("pong")) expect(await answered).toBeTypeOf("number");
      if (frames.length > 0) {
        expect(b.client.state).toMatchObject({ phase: "connected", stale: false });
        // A verdict's gap is told when everything that is left has come.
        if (gaps[0] && gaps[0].reason !== "lagged") expect(log.indexOf("gap")).toBe(log.indexOf("live") - 1);
        await pass(10_000);
        const expiring = parsed(conversation).some((f) => f.type === "hub.expiring");
        expect(socket.sent.some((s) => s.includes("hub.auth"))).toBe(expiring);
      }
      if (close) {
        const { attempt } = b.client.state;
        socket.end(close.code, close.reason);
        await afterClose(b, close, reasons, attempt);
      }
      b.client.destroy();
    });
  }
});

/** Checks what the client does after a close. */
async function afterClose(
  b: ReturnType<typeof bench>,
  { code, reason }: { code: number; reason: string },
  reasons: string[],
  attempt: number,
) {
  const { state } = b.client;
  expect(state).toMatchObject({ code, reason, stale: true });
  const does = afterwards[code];
  expect(state.phase).toBe(does === "stop" ? "closed" : "reconnecting");
  if (does === "stop") {
    await pass(3_600_000);
    expect(b.sockets).toHaveLength(1);
    return;
  }
  const wait = (state.retryAt ?? 0) - Date.now();
  const backoff = Math.min(30_000, 1_000 * 2 ** attempt);
  if (does === "spread") expect(wait).toBe(Number(/spreadMs=(\d+)/.exec(reason)?.[1]));
  else expect([backoff, backoff + 1_000]).toContain(wait);
  const asked = reasons.length;
  await pass(wait);
  await settle();
  expect(b.sockets).toHaveLength(2);
  const why = does !== "token" ? "connect" : reason === "token expired" ? "expired" : "refused";
  expect(reasons.slice(asked)).toEqual([why]);
}

/** Every event, for none of these conversations holds one twice. */
function expectedEvents(frames: Frame[]): [unknown, Meta][] {
  const live = frames.findIndex((f) => f.type === "hub.live");
  return frames.flatMap((frame, i) => {
    if (isHubs(frame)) return [];
    const meta = {
      type: frame.type,
      timestamp: frame.timestamp as string,
      replayed: i < live,
      transient: frame.class === "transient",
      latest: frame.class === "latest",
      key: frame.key,
      scope: (frame.scope ?? "user") as "user" | "all",
    };
    return [[frame.payload, meta] as [unknown, Meta]];
  });
}

function expectedGaps(frames: Frame[], from: Cursor | null): Gap[] {
  const told = frames.filter((f) => f.type === "hub.gap").map((f) => (f.payload as { reason: string }).reason);
  if (told[0] !== "lagged") return told.slice(0, 1).map((reason) => ({ reason, from }));
  // Where the device had got to when the log outran it.
  const before = frames.slice(
    0,
    frames.findIndex((f) => f.type === "hub.gap"),
  );
  return [{ reason: "lagged", from: expectedCursor(before) }];
}

/** The last timestamps of each scope, which the hub never lets go back on one connection. */
function expectedCursor(frames: Frame[]): Cursor | null {
  const [hello] = frames;
  if (!hello) return null;
  const { epoch, globalTimestamp } = hello.payload as { epoch: string; globalTimestamp: string };
  const last = (all: boolean) => frames.filter((f) => f.timestamp && (f.scope === "all") === all).at(-1)?.timestamp;
  return { epoch, lastEventTs: last(false) as string, lastGlobalTs: last(true) ?? globalTimestamp };
}
