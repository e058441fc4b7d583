// @vitest-environment jsdom
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { bench, pass, random, settle, ts } from "./kit.ts";

beforeEach(() => {
  vi.useFakeTimers();
  show(true);
});
afterEach(() => {
  for (const b of benches.splice(0)) b.client.destroy();
  vi.useRealTimers();
});

const benches: ReturnType<typeof bench>[] = [];

async function connected() {
  const b = bench();
  benches.push(b);
  (await b.dial()).up();
  return b;
}

function show(visible: boolean) {
  Object.defineProperty(document, "hidden", { value: !visible, configurable: true });
  document.dispatchEvent(new Event("visibilitychange", { bubbles: true }));
}

const wakes: Record<string, () => void> = {
  visible: () => show(true),
  resume: () => document.dispatchEvent(new Event("resume")),
  pageshow: () => window.dispatchEvent(new Event("pageshow")),
  online: () => window.dispatchEvent(new Event("online")),
  offline: () => window.dispatchEvent(new Event("offline")),
};

describe("a wake-up", () => {
  for (const [name, wake] of Object.entries(wakes)) {
    it(`${name}: probes first, and keeps a socket that answers`, async () => {
      const b = await connected();
      wake();
      expect(b.socket.sent).toEqual(["ping"]);
      await pass(2_999);
      b.socket.pong();
      await pass(20_000);
      expect(b.sockets).toHaveLength(1);
      expect(b.client.state.phase).toBe("connected");
    });

    it(`${name}: replaces a socket that leaves the probe unanswered for 3 s`, async () => {
      const b = await connected();
      const first = b.socket;
      wake();
      await pass(2_999);
      expect(first.closedWith).toBeUndefined();
      expect(b.client.state.stale).toBe(false);
      await pass(1);
      expect(first.closedWith).toBe(1000);
      expect(b.client.state).toMatchObject({ phase: "reconnecting", reason: "unanswered", stale: true, retryAt: null });
      await settle();
      expect(b.sockets).toHaveLength(2); // at once, without backoff
    });
  }

  it("hidden: is none", async () => {
    const b = await connected();
    show(false);
    expect(b.socket.sent).toEqual([]);
  });

  it("does not wait for the backoff", async () => {
    random(1);
    for (const [name, wake] of Object.entries(wakes)) {
      const b = await connected();
      b.socket.end();
      await pass(500);
      wake();
      await settle();
      expect(b.sockets, name).toHaveLength(name === "offline" ? 1 : 2);
      b.client.destroy();
    }
  });

  it("waits for the spread that the hub announced", async () => {
    random(1);
    const b = await connected();
    b.socket.end(1012, "restarting; spreadMs=30000");
    wakes.online?.();
    wakes.visible?.();
    await pass(29_999);
    expect(b.sockets).toHaveLength(1);
    b.client.reconnect();
    await settle();
    expect(b.sockets).toHaveLength(2);
  });

  it("does not disturb an attempt that is under way", async () => {
    const b = bench();
    benches.push(b);
    await b.dial();
    wakes.online?.();
    wakes.pageshow?.();
    await settle();
    expect(b.sockets).toHaveLength(1);
    expect(b.socket.sent).toEqual([]);
  });

  it("probes once, however many of them come together", async () => {
    const b = await connected();
    for (const wake of Object.values(wakes)) wake();
    expect(b.socket.pings).toBe(1);
  });

  it("goes unheard after close and after destroy, which leave no listener behind", async () => {
    for (const end of ["close", "destroy"] as const) {
      const added = vi.spyOn(globalThis, "addEventListener");
      const removed = vi.spyOn(globalThis, "removeEventListener");
      const b = await connected();
      b.client[end]();
      for (const wake of Object.values(wakes)) wake();
      await pass(5_000);
      expect(b.sockets).toHaveLength(1);
      expect(b.socket.sent).toEqual([]);
      expect(added).toHaveBeenCalledTimes(Object.keys(wakes).length);
      expect(removed.mock.calls).toEqual(added.mock.calls);
      added.mockRestore();
      removed.mockRestore();
    }
  });
});

describe("the probe", () => {
  it("is not answered by what was on its way before: only by its pong", async () => {
    const b = await connected();
    wakes.visible?.();
    b.socket.event("A", 1); // had arrived before the sleep
    await pass(3_001);
    expect(b.sockets).toHaveLength(2);
  });

  it("waits while something arrives: the answer stands in line behind it", async () => {
    const b = await connected();
    wakes.visible?.();
    for (let i = 1; i <= 10; i++) {
      await pass(2_000);
      b.socket.event("A", i);
    }
    b.socket.pong();
    await pass(10_000);
    expect(b.sockets).toHaveLength(1);
  });

  it("is asked again if its timer was late: the page slept, the answer may wait behind it", async () => {
    const b = await connected();
    wakes.visible?.();
    vi.setSystemTime(Date.now() + 60_000); // the clock goes on, the timers stand still
    await pass(3_000);
    expect(b.sockets).toHaveLength(1);
    expect(b.socket.pings).toBe(2);
    b.socket.pong(); // to the first
    b.socket.pong();
    await pass(5_000);
    expect(b.sockets).toHaveLength(1);
  });

  it("gives up after the second time, late or not: timers of hidden pages are always late", async () => {
    const b = await connected();
    wakes.visible?.();
    for (let i = 0; i < 2; i++) {
      vi.setSystemTime(Date.now() + 60_000);
      await pass(3_000);
    }
    expect(b.sockets[0]?.closedWith).toBe(1000);
    expect(b.client.state.reason).toBe("unanswered");
  });

  it("is not confused by a clock that is set back", async () => {
    const b = await connected();
    wakes.visible?.();
    vi.setSystemTime(Date.now() - 3_600_000);
    await pass(3_000);
    expect(b.socket.pings).toBe(2);
    await pass(3_000);
    expect(b.sockets).toHaveLength(2);
  });
});

describe("silence", () => {
  it("longer than the announced heartbeat and some is probed", async () => {
    const b = bench();
    benches.push(b);
    (await b.dial()).up(0, { heartbeatMs: 10_000 });
    await pass(14_999);
    expect(b.socket.pings).toBe(0);
    await pass(1);
    expect(b.socket.pings).toBe(1);
    await pass(3_000);
    expect(b.sockets).toHaveLength(2);
  });

  it("is ended by anything: event, heartbeat, pong", async () => {
    const b = await connected();
    const says = [
      () => b.socket.event("A", 1),
      () => b.socket.frame({ type: "hub.heartbeat", payload: null, timestamp: ts(1) }),
      () => b.socket.pong(),
    ];
    for (let i = 0; i < 9; i++) {
      await pass(29_000);
      says[i % 3]?.();
    }
    expect(b.socket.pings).toBe(0);
    await pass(30_000);
    expect(b.socket.pings).toBe(1);
  });

  it("goes on being watched after an answer", async () => {
    const b = await connected();
    for (let i = 1; i <= 3; i++) {
      await pass(30_000);
      expect(b.socket.pings).toBe(i);
      b.socket.pong();
    }
    expect(b.sockets).toHaveLength(1);
    await pass(33_000);
    expect(b.sockets).toHaveLength(2);
  });

  it("is watched through a clock that is set back", async () => {
    const b = await connected();
    vi.setSystemTime(Date.now() - 3_600_000);
    await pass(30_000);
    expect(b.socket.pings).toBe(1);
  });

  it("of a socket that is closing without an event ends too", async () => {
    const b = await connected();
    b.socket.readyState = 2;
    wakes.visible?.();
    await pass(3_000);
    expect(b.socket.sent).toEqual([]);
    expect(b.sockets).toHaveLength(2);
  });
});

describe("ping", () => {
  it("resolves with the milliseconds until the answer, in order", async () => {
    const b = await connected();
    const first = b.client.ping();
    await pass(20);
    const second = b.client.ping();
    await pass(30);
    b.socket.pong();
    b.socket.pong();
    expect(await first).toBe(50);
    expect(await second).toBe(30);
  });

  it("rejects without a connection and when it is lost", async () => {
    const b = bench();
    benches.push(b);
    await expect(b.client.ping()).rejects.toThrow("usercast: not connected");
    (await b.dial()).up();
    const lost = expect(b.client.ping()).rejects.toThrow("usercast: not connected");
    b.socket.end();
    await lost;
  });

  it("is not answered by a pong that nobody asked for", async () => {
    const b = await connected();
    b.socket.pong();
    const asked = b.client.ping();
    await pass(7);
    b.socket.pong();
    expect(await asked).toBe(7);
  });
});

describe("send", () => {
  it("sends strings as they are and the rest as JSON, and says whether it could", async () => {
    const b = bench();
    benches.push(b);
    expect(b.client.send("early")).toBe(false);
    await b.dial();
    expect(b.client.send("before hello")).toBe(false);
    b.socket.up();
    expect(b.client.send("text")).toBe(true);
    expect(b.client.send({ a: 1 })).toBe(true);
    expect(b.socket.sent).toEqual(["text", '{"a":1}']);
    b.socket.end();
    expect(b.client.send("late")).toBe(false);
  });

  it("refuses what the hub would close for, in bytes", async () => {
    const b = await connected();
    expect(b.client.send("x".repeat(4_096))).toBe(true);
    expect(() => b.client.send("x".repeat(4_097))).toThrow(RangeError);
    expect(() => b.client.send("ä".repeat(2_049))).toThrow("4098 bytes, the hub takes 4096");
  });
});
