import { expect, test } from "vitest";
import type { Frame } from "../src/types.ts";
import { judge, type Published, type Rest } from "./kit/oracle.ts";
import type { Entry, PageRecord } from "./kit/record.ts";

// The oracle itself: it must find nothing in what is right, and each thing that is wrong.

const ts = (n: number) => `2026-11-22T20:53:52.${String(n).padStart(6, "0")}Z`;

interface Case {
  published: Published[];
  record: PageRecord;
  rest: Rest;
}

const event = (socket: number, n: number, more: Partial<Frame> = {}): Entry[] => {
  const frame: Frame = { type: "PENDING_UPDATED", payload: { n }, timestamp: ts(n), ...more };
  const { type, timestamp = "", class: kind } = frame;
  const scope = frame.scope === "all" ? "all" : "user";
  const meta = { type, timestamp, replayed: false, transient: kind === "transient", latest: kind === "latest", scope };
  return [
    { kind: "frame", socket, frame },
    { kind: "event", payload: frame.payload, meta: meta as never },
  ];
};

const hub = (socket: number, type: string, at: number, payload: unknown = null, scope?: string): Entry => ({
  kind: "frame",
  socket,
  frame: { type, payload, timestamp: ts(at), ...(scope && { scope }) },
});

const hello = (socket: number, at: number, verdict: string, epoch = "e", all = 500): Entry[] => [
  { kind: "socket", socket },
  hub(socket, "hub.hello", at, { epoch, verdict, globalTimestamp: ts(all) }),
];

const published = (n: number, more: Partial<Published> = {}): Published => ({
  scope: "user",
  user: "alice",
  timestamp: ts(n),
  class: "buffered",
  n,
  ...more,
});

const socket = (query: string) => ({ url: `ws://h/ws?${query}`, at: 0, opened: true, closed: null });

/** Fresh, two events and one to everyone; cut; resumed, with one that was missed; restarted: a gap, and one more. */
const good = (): Case => ({
  published: [
    published(101),
    published(102),
    published(103, { class: "transient" }),
    published(501, { scope: "all", user: null }),
    published(104),
    published(105, { except: "phone" }),
    published(106, { user: "bob" }),
    published(107, { class: "latest", key: "job:1" }),
    published(108), // missed for good
    published(203),
  ],
  record: {
    keep: true,
    pings: { sent: 0, answered: 0 },
    sockets: [
      socket("device=phone"),
      socket(`epoch=e&lastEventTs=${ts(103)}&lastGlobalTs=${ts(501)}`),
      socket(`epoch=e&lastEventTs=${ts(107)}&lastGlobalTs=${ts(501)}`),
    ],
    entries: [
      ...hello(0, 100, "fresh"),
      hub(0, "hub.live", 100),
      ...event(0, 101),
      ...event(0, 102),
      ...event(0, 103, { class: "transient" }),
      ...event(0, 501, { scope: "all" }),
      { kind: "close", socket: 0, code: 1006 },
      ...hello(1, 103, "resumed", "e", 501),
      ...event(1, 104),
      ...event(1, 107, { class: "latest" }),
      hub(1, "hub.live", 107),
      hub(1, "hub.heartbeat", 107),
      { kind: "close", socket: 1, code: 1012 },
      ...hello(2, 201, "gap", "f", 601),
      hub(2, "hub.gap", 201, { reason: "restarted" }),
      hub(2, "hub.gap", 601, { reason: "restarted" }, "all"),
      hub(2, "hub.live", 201),
      { kind: "gap", reason: "restarted" },
      ...event(2, 203),
    ],
  },
  rest: {
    user: "alice",
    device: "phone",
    hub: { epoch: "f", lastEventTs: ts(203), lastGlobalTs: ts(601) },
    client: { epoch: "f", lastEventTs: ts(203), lastGlobalTs: ts(601) },
    bufferSize: 3,
  },
});

const verdictOf = ({ published, record, rest }: Case) => judge(published, record, rest);

test("what is right is right", () => {
  expect(verdictOf(good())).toEqual([]);
});

test("the verdict alone tells of a gap, should the connection be cut right behind it", () => {
  const c = good();
  c.record.entries.splice(
    at(c, isHub("hub.gap", 2)),
    2,
    { kind: "close", socket: 2, code: 1006 },
    ...hello(3, 201, "resumed", "f", 601),
  );
  c.record.sockets.push(socket(`epoch=f&lastEventTs=${ts(201)}&lastGlobalTs=${ts(601)}`));
  for (const entry of c.record.entries.slice(-4)) if (entry.kind === "frame") entry.socket = 3;
  expect(verdictOf(c)).toEqual([]);
});

const at = (c: Case, what: (e: Entry) => boolean) => {
  const i = c.record.entries.findIndex(what);
  if (i < 0) throw new Error("no such entry");
  return i;
};
const isEvent = (n: number) => (e: Entry) => e.kind === "event" && (e.payload as { n: number }).n === n;
const isFrame = (n: number) => (e: Entry) => e.kind === "frame" && (e.frame.payload as { n?: number } | null)?.n === n;
const isHub = (type: string, socket: number) => (e: Entry) =>
  e.kind === "frame" && e.frame.type === type && e.socket === socket;

const wrongs: [string, (c: Case) => void, RegExp][] = [
  ["a handler that missed an event", (c) => c.record.entries.splice(at(c, isEvent(102)), 1), /handlers: I2: event 102/],
  ["a last event missed", (c) => c.record.entries.splice(at(c, isEvent(203)), 1), /handlers: I2: event 203/],
  ["an event doubled", (c) => c.record.entries.push(...event(2, 203).slice(1)), /handlers: I1/],
  [
    "two events that changed places",
    (c) => c.record.entries.splice(at(c, isFrame(101)), 4, ...event(0, 102), ...event(0, 101)),
    /I1/,
  ],
  ["a frame doubled on one socket", (c) => c.record.entries.push(...event(2, 203).slice(0, 1)), /socket 2: I1/],
  ["a frame that was never sent", (c) => c.record.entries.splice(at(c, isFrame(104)), 1), /socket 1: I2: event 104/],
  [
    "live before everything came",
    (c) => c.published.push(published(99, { timestamp: ts(106) })),
    /socket 1: I2: event 99/,
  ],
  ["an event to everyone lost", (c) => c.record.entries.splice(at(c, isEvent(501)), 1), /handlers: I2: event 501/],
  [
    "a gap that the hub did not tell",
    (c) => c.record.entries.splice(at(c, isHub("hub.gap", 2)), 2),
    /no hub.gap before/,
  ],
  [
    "a gap that nobody told",
    (c) => c.record.entries.splice(at(c, isHub("hub.hello", 2)), 3, ...hello(2, 201, "resumed", "f", 601).slice(1)),
    /I2: event 108/,
  ],
  [
    "a gap that onGap did not tell",
    (c) =>
      c.record.entries.splice(
        at(c, (e) => e.kind === "gap"),
        1,
      ),
    /onGap did not/,
  ],
  ["a gap told twice", (c) => c.record.entries.push({ kind: "gap", reason: "evicted" }), /I4: onGap/],
  [
    "a gap where nothing can be missing",
    (c) => c.record.entries.splice(at(c, isHub("hub.hello", 1)), 1, ...hello(1, 103, "gap").slice(1)),
    /I4: a gap/,
  ],
  [
    "resumed elsewhere",
    (c) => c.record.entries.splice(at(c, isHub("hub.hello", 1)), 1, ...hello(1, 104, "resumed").slice(1)),
    /I2: resumed at/,
  ],
  [
    "resumed in another epoch",
    (c) => c.record.entries.splice(at(c, isHub("hub.hello", 1)), 1, ...hello(1, 103, "resumed", "x").slice(1)),
    /another epoch/,
  ],
  [
    "fresh for a cursor",
    (c) => c.record.entries.splice(at(c, isHub("hub.hello", 1)), 1, ...hello(1, 103, "fresh").slice(1)),
    /fresh for a cursor/,
  ],
  ["another user's event", (c) => c.record.entries.push(...event(2, 106, { timestamp: ts(300) })), /I6: event 106/],
  [
    "an echo of the page's own",
    (c) => c.record.entries.push(...event(2, 105, { timestamp: ts(300) })),
    /I6: event 105/,
  ],
  ["an event that nobody published", (c) => c.record.entries.push(...event(2, 300)), /never published/],
  [
    "another timestamp than was given",
    (c) => c.record.entries.splice(at(c, isEvent(203)), 1, ...event(2, 203, { timestamp: ts(202) }).slice(1)),
    /came as/,
  ],
  [
    "a transient replayed",
    (c) => {
      (c.record.sockets[0] as { at: number }).at = Date.parse("2026-11-22T20:53:53Z");
    },
    /I5: transient 103 was/,
  ],
  [
    "a transient twice",
    (c) => c.record.entries.push(...event(2, 103, { class: "transient", timestamp: ts(300) })),
    /I5: transient 103 came/,
  ],
  [
    "a cursor that lags behind",
    (c) => {
      c.rest.client = { epoch: "f", lastEventTs: ts(201) };
    },
    /I3: cursor/,
  ],
  [
    "a cursor of another epoch",
    (c) => {
      c.rest.client = { epoch: "e", lastEventTs: ts(203) };
    },
    /I3: epoch/,
  ],
  ["not live in the end", (c) => c.record.entries.splice(at(c, isHub("hub.live", 2)), 1), /I3: not live/],
  ["an error in the client", (c) => c.record.entries.push({ kind: "error", text: "boom" }), /boom/],
];

test.each(wrongs)("the oracle sees %s", (_, spoil, finding) => {
  const c = good();
  spoil(c);
  expect(verdictOf(c).join("\n")).toMatch(finding);
});
