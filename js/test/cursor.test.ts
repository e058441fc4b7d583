import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { type Cursor, type Gap, sessionCursor } from "../src/index.ts";
import { bench, cursor, random, settle, ts } from "./kit.ts";

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

describe("the cursor", () => {
  it("moves only after handlers ran, for each scope by itself", async () => {
    const saved: (Cursor | null)[] = [];
    const b = bench({ cursor: { load: () => null, save: (c) => saved.push(c) } });
    const during: (Cursor | null)[] = [];
    b.client.on("*", () => during.push(b.client.cursor));
    const socket = await b.dial();
    socket.up(10, { global: 5 });
    socket.event("A", 11);
    socket.event("A", 6, 0, { scope: "all" });
    expect(during).toEqual([cursor(10, 5), cursor(11, 5)]);
    expect(b.client.cursor).toEqual(cursor(11, 6));
    expect(saved).toEqual([cursor(10, 5), cursor(11, 5), cursor(11, 6)]);
    expect(Object.isFrozen(b.client.cursor)).toBe(true);
  });

  it("moves with hub.live and hub.heartbeat: events that were not for this device", async () => {
    const b = bench();
    const socket = await b.dial();
    socket.hello(10);
    socket.frame({ type: "hub.heartbeat", payload: null, timestamp: ts(15) }); // something may still be on its way
    expect(b.client.cursor).toEqual(cursor(10));
    socket.live(12);
    expect(b.client.cursor).toEqual(cursor(12));
    socket.frame({ type: "hub.heartbeat", payload: null, timestamp: ts(20) });
    expect(b.client.cursor).toEqual(cursor(20));
    socket.frame({ type: "hub.heartbeat", payload: null, timestamp: ts(19) });
    expect(b.client.cursor).toEqual(cursor(20));
  });

  it("guards against doubles, per scope", async () => {
    const b = bench();
    const got: unknown[] = [];
    b.client.on("*", (payload) => got.push(payload));
    const socket = await b.dial();
    socket.up(10, { global: 10 });
    for (const at of [10, 11, 11, 9, 12]) {
      socket.event("A", at, `user ${at}`);
      socket.event("A", at, `all ${at}`, { scope: "all" });
    }
    expect(got).toEqual(["user 11", "all 11", "user 12", "all 12"]);
  });

  it("takes the latest values that are stamped as the immediate past of a start", async () => {
    random(0);
    const b = bench();
    const got: unknown[] = [];
    b.client.on("*", (payload) => got.push(payload));
    const socket = await b.dial();
    socket.hello(98); // the log's last is 100, two values
    socket.event("P", 99, "x", { class: "latest", key: "x" });
    socket.event("P", 100, "y", { class: "latest", key: "y" });
    socket.live(100);
    expect(got).toEqual(["x", "y"]);
    socket.end();
    await settle();
    await settle();
    // A gap may begin before what this device has seen, if the clock went back with a restart.
    b.socket.hello(40, { epoch: "e2", verdict: "gap", reason: "restarted" });
    b.socket.frame({ type: "hub.gap", payload: { reason: "restarted" }, timestamp: ts(40) });
    b.socket.event("P", 41, "z", { class: "latest", key: "z" });
    b.socket.live(41);
    expect(got).toEqual(["x", "y", "z"]);
    expect(b.client.cursor).toEqual(cursor(41, 0, "e2"));
  });

  it("of another width than the hub's is replaced by the hub's", async () => {
    const initialCursor = { epoch: "e1", lastEventTs: "2023-11-14T22:13:20.5Z" };
    const b = bench({ initialCursor });
    const got: unknown[] = [];
    b.client.on("A", (payload) => got.push(payload));
    const socket = await b.dial();
    expect(socket.query.lastEventTs).toBe("2023-11-14T22:13:20.5Z");
    socket.up(500_000);
    socket.event("A", 500_001);
    expect(got).toEqual([500_001]);
  });

  it("is what the next connection resumes from, in both scopes", async () => {
    random(0);
    const b = bench({ deviceId: "d" });
    (await b.dial()).up(10, { global: 5 });
    b.socket.event("A", 11);
    b.socket.event("A", 6, 0, { scope: "all" });
    b.socket.end();
    await settle();
    await settle();
    expect(b.socket.query).toEqual({ device: "d", epoch: "e1", lastEventTs: ts(11), lastGlobalTs: ts(6) });
  });

  it("is not lost by a handler that reconnects in the middle: the event comes once", async () => {
    const b = bench();
    const got: unknown[] = [];
    b.client.on("A", (payload) => {
      got.push(payload);
      if (payload === 11) b.client.reconnect();
    });
    const first = await b.dial();
    first.up(10);
    first.event("A", 11);
    await settle();
    expect(b.sockets).toHaveLength(2);
    b.socket.hello(10); // it named 10, for its handlers were still running
    b.socket.event("A", 11);
    b.socket.event("A", 12);
    expect(got).toEqual([11, 12]);
  });
});

describe("cursor stores", () => {
  it("sessionCursor survives a reload, for its user alone, and destroy forgets it", async () => {
    const items = new Map<string, string>();
    vi.stubGlobal("sessionStorage", {
      getItem: (k: string) => items.get(k) ?? null,
      setItem: (k: string, v: string) => items.set(k, v),
      removeItem: (k: string) => items.delete(k),
    });
    const b = bench({ cursor: sessionCursor("u1") });
    (await b.dial()).up(7, { global: 3 });
    b.client.close();
    expect(bench({ cursor: sessionCursor("u1") }).client.cursor).toEqual(cursor(7, 3));
    expect(bench({ cursor: sessionCursor("u2") }).client.cursor).toBeNull();
    b.client.destroy();
    expect(items.size).toBe(0);
  });

  it("sessionCursor keeps nothing where there is no sessionStorage, and takes rubbish for nothing", async () => {
    const b = bench({ cursor: sessionCursor("u1") });
    (await b.dial()).up(7);
    expect(b.errors).toEqual([]);
    vi.stubGlobal("sessionStorage", { getItem: () => "{rubbish", setItem: () => {}, removeItem: () => {} });
    const c = bench({ cursor: sessionCursor("u1") });
    expect(c.client.cursor).toBeNull();
    expect(c.errors).toHaveLength(1);
  });

  it("one that throws is reported once, and nothing else suffers", async () => {
    const save = vi.fn(() => {
      throw new Error("quota");
    });
    const b = bench({ cursor: { load: () => null, save } });
    const got: unknown[] = [];
    b.client.on("A", (payload) => got.push(payload));
    (await b.dial()).up();
    b.socket.event("A", 1);
    b.socket.event("A", 2);
    expect(b.errors).toEqual([new Error("quota")]);
    expect(got).toEqual([1, 2]);
    expect(b.client.cursor).toEqual(cursor(2));
  });
});

describe("gaps", () => {
  /** Connects, gets to 5, is cut, and comes back to what the test says. */
  async function back(options: Parameters<typeof bench>[0] = {}) {
    random(0);
    const gaps: Gap[] = [];
    const log: string[] = [];
    const b = bench({
      onGap: (gap) => {
        gaps.push(gap);
        log.push(`gap ${gap.reason}`);
      },
      ...options,
    });
    b.client.on("*", (payload) => log.push(`event ${payload}`));
    b.client.subscribeState(() => log.push(`${b.client.state.phase}${b.client.state.stale ? "" : " live"}`));
    (await b.dial()).up(5, { global: 5 });
    b.socket.end();
    await settle();
    await settle();
    log.length = 0;
    return { b, gaps, log, socket: b.socket };
  }
  const gapFrame = (at: number, reason: string, scope?: string) => ({
    type: "hub.gap",
    payload: { reason },
    timestamp: ts(at),
    ...(scope && { scope }),
  });

  it("are told after hub.live, once per connect, with the reason and where the device was", async () => {
    const { b, gaps, log, socket } = await back();
    socket.hello(40, { verdict: "gap", reason: "evicted", global: 60 });
    socket.frame(gapFrame(40, "evicted"));
    socket.event("A", 41);
    socket.frame(gapFrame(60, "expired", "all"));
    socket.event("A", 61, 61, { scope: "all" });
    expect(gaps).toEqual([]);
    socket.live(41);
    expect(log).toEqual(["connected", "event 41", "event 61", "connected live", "gap evicted"]);
    expect(gaps).toEqual([{ reason: "evicted", from: cursor(5, 5) }]);
    socket.live(41);
    expect(gaps).toHaveLength(1);
    expect(b.client.cursor).toEqual(cursor(41, 61));
  });

  it("are told to onGap and to everyone who asked by client.onGap", async () => {
    const { b, gaps, socket } = await back();
    const heard: string[] = [];
    b.client.onGap(() => {
      throw new Error("mine");
    });
    const off = b.client.onGap((gap) => heard.push(gap.reason));
    b.client.onGap(() => off());
    socket.hello(5, { global: 5 });
    socket.frame(gapFrame(40, "lagged"));
    socket.live(40);
    expect(gaps).toHaveLength(1);
    expect(heard).toHaveLength(1);
    socket.frame(gapFrame(50, "lagged"));
    expect(gaps).toHaveLength(2);
    expect(heard).toHaveLength(1);
    expect(b.errors).toHaveLength(2);
  });

  it("of a resumed or a fresh connection are none", async () => {
    const { gaps, socket } = await back();
    socket.up(5, { global: 5 });
    expect(gaps).toEqual([]);
  });

  it("that lag later are told at once, each", async () => {
    const { gaps, socket } = await back();
    socket.up(5, { global: 5 });
    socket.frame(gapFrame(9, "lagged"));
    socket.frame(gapFrame(12, "lagged"));
    expect(gaps).toEqual([
      { reason: "lagged", from: cursor(5, 5) },
      { reason: "lagged", from: cursor(9, 5) },
    ]);
  });

  it("that lag before hub.live are told with it, as one", async () => {
    const { gaps, socket } = await back();
    socket.hello(5, { global: 5 });
    socket.event("A", 6);
    socket.frame(gapFrame(20, "lagged"));
    socket.event("A", 21);
    expect(gaps).toEqual([]);
    socket.live(21);
    expect(gaps).toEqual([{ reason: "lagged", from: cursor(6, 5) }]);
  });

  it("are not forgotten if the connection ends between hub.hello and hub.live", async () => {
    const { b, gaps, socket } = await back();
    socket.hello(40, { verdict: "gap", reason: "evicted", global: 5 });
    socket.frame(gapFrame(40, "evicted"));
    socket.event("A", 41);
    socket.end();
    await settle();
    await settle();
    b.socket.up(41, { global: 5 }); // resumed
    expect(gaps).toEqual([{ reason: "evicted", from: cursor(5, 5) }]);
  });

  it("are not saved over: a page that reloads before it was told is told", async () => {
    const saved: (Cursor | null)[] = [];
    const { gaps, socket } = await back({ cursor: { load: () => null, save: (c) => saved.push(c) } });
    expect(saved.at(-1)).toEqual(cursor(5, 5));
    socket.hello(40, { verdict: "gap", reason: "evicted", global: 60 });
    socket.event("A", 41);
    expect(saved.at(-1)).toEqual(cursor(5, 5));
    socket.live(41);
    expect(saved.at(-1)).toEqual(cursor(41, 60));
    expect(gaps).toHaveLength(1);
  });

  it("tell of a restart that the verdict did not: another epoch", async () => {
    const { gaps, socket } = await back();
    socket.up(5, { epoch: "e2", global: 5 });
    expect(gaps).toEqual([{ reason: "restarted", from: cursor(5, 5) }]);
  });
});
