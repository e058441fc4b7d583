import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { createClient } from "../src/index.ts";
import { bench, cursor, FakeSocket, pass, random, settle, ts } from "./kit.ts";

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

describe("the handshake", () => {
  it("carries the token as a subprotocol, never in the URL", async () => {
    const b = bench({ getToken: () => "tök.en+/=" });
    const socket = await b.dial();
    expect(socket.protocols[0]).toBe("usercast.v1");
    expect(socket.protocols[1]).toMatch(/^usercast\.bearer\.[A-Za-z0-9_-]+$/);
    expect(socket.token).toBe("tök.en+/=");
    expect(socket.url.href).not.toContain("bearer");
  });

  it("offers only usercast.v1 without getToken", async () => {
    const socket = await bench().dial();
    expect(socket.protocols).toEqual(["usercast.v1"]);
  });

  it("names the device, and a cursor only if there is one", async () => {
    const b = bench({ deviceId: "d1" });
    expect((await b.dial()).query).toEqual({ device: "d1" });
  });

  it("keeps the URL's own query and turns http into ws", async () => {
    const b = bench({ url: "https://hub.example/ws?tenant=7" });
    const { url } = await b.dial();
    expect(url.protocol).toBe("wss:");
    expect(url.searchParams.get("tenant")).toBe("7");
  });

  it("asks a url function before each attempt", async () => {
    random(1);
    let n = 0;
    const b = bench({ url: async () => `ws://hub${++n}.example/` });
    (await b.dial()).end();
    await pass(1_000);
    expect(b.sockets.map((s) => s.url.host)).toEqual(["hub1.example", "hub2.example"]);
  });

  it("resolves a path against the page", async () => {
    vi.stubGlobal("location", { href: "https://shop.example/orders/7" });
    expect((await bench({ url: "/ws" }).dial()).url.href).toMatch(/^wss:\/\/shop\.example\/ws\?/);
  });

  it("makes a device ID of its own that the hub accepts, another for each client", () => {
    const [a, b] = [bench().client.deviceId, bench().client.deviceId];
    expect(a).toMatch(/^[A-Za-z0-9_-]{16}$/);
    expect(a).not.toBe(b);
  });

  it("refuses a device ID that the hub would refuse, and says what is allowed", () => {
    for (const deviceId of ["", "a b", "ä", "x".repeat(65)]) {
      expect(() => bench({ deviceId })).toThrow("options.deviceId: 1 to 64 of A-Za-z0-9_-");
    }
  });

  it("resumes from initialCursor, which goes before the store's", async () => {
    const store = { load: () => cursor(5), save: vi.fn() };
    const b = bench({ initialCursor: cursor(7, 3), cursor: store, deviceId: "d" });
    expect((await b.dial()).query).toEqual({ device: "d", epoch: "e1", lastEventTs: ts(7), lastGlobalTs: ts(3) });
  });

  it("takes a store's rubbish for no cursor", async () => {
    for (const load of [() => 7 as never, () => ({ epoch: 1 }) as never, () => null]) {
      expect(bench({ cursor: { load, save: () => {} } }).client.cursor).toBeNull();
    }
  });
});

describe("state", () => {
  it("goes from idle over connecting and connected to live", async () => {
    const b = bench();
    const seen: unknown[] = [];
    b.client.subscribeState(() => {
      const { phase, stale } = b.client.state;
      seen.push([phase, stale]);
    });
    expect(b.client.state).toEqual({ phase: "idle", attempt: 0, retryAt: null, stale: true });
    const socket = await b.dial();
    socket.hello(0);
    socket.live(0);
    expect(seen).toEqual([
      ["connecting", true],
      ["connected", true],
      ["connected", false],
    ]);
  });

  it("is frozen, and the same reference until something changes", async () => {
    const b = bench();
    const socket = await b.dial();
    socket.up();
    const before = b.client.state;
    expect(Object.isFrozen(before)).toBe(true);
    socket.event("A", 1);
    socket.frame({ type: "hub.heartbeat", payload: null, timestamp: ts(1) });
    socket.live(1);
    expect(b.client.state).toBe(before);
    socket.end();
    expect(b.client.state).not.toBe(before);
  });

  it("tells each subscriber, whatever another one throws or does", async () => {
    const b = bench();
    const seen: string[] = [];
    b.client.subscribeState(() => {
      throw new Error("mine");
    });
    const off = b.client.subscribeState(() => seen.push(b.client.state.phase));
    await b.dial();
    off();
    b.socket.up();
    expect(seen).toEqual(["connecting"]);
    expect(b.errors).toContainEqual(new Error("mine"));
  });

  it("may be left by a listener: close in the middle of anything ends it", async () => {
    for (const phase of ["connecting", "connected", "reconnecting"]) {
      const b = bench();
      b.client.subscribeState(() => {
        if (b.client.state.phase === phase) b.client.close();
      });
      b.client.connect();
      await settle();
      b.sockets[0]?.up();
      b.sockets[0]?.end();
      await pass(60_000);
      expect(b.client.state.phase, phase).toBe("idle");
      expect(b.sockets.length, phase).toBe(phase === "connecting" ? 0 : 1);
    }
  });
});

describe("connect, close, reconnect", () => {
  it("opens one socket however often connect is called", async () => {
    const b = bench();
    b.client.connect();
    b.client.connect();
    await settle();
    b.socket.up();
    b.client.connect();
    await pass(60_000);
    expect(b.sockets.filter((s) => s.closedWith === undefined)).toHaveLength(1);
  });

  it("never reconnects after close, and goes on from its cursor when connect is called", async () => {
    const b = bench();
    const socket = await b.dial();
    socket.up(4);
    socket.event("A", 5);
    b.client.close();
    expect(socket.closedWith).toBe(1000);
    expect(b.client.state).toMatchObject({ phase: "idle", stale: true });
    await pass(3_600_000);
    expect(b.sockets).toHaveLength(1);
    expect((await b.dial()).query.lastEventTs).toBe(ts(5));
  });

  it("close ends an attempt whose token is still being fetched, and aborts the fetch", async () => {
    let signal: AbortSignal | undefined;
    const b = bench({
      getToken: (context) => {
        signal = context.signal;
        return new Promise((resolve) => setTimeout(resolve, 100, "t"));
      },
    });
    b.client.connect();
    b.client.close();
    expect(signal?.aborted).toBe(true);
    await pass(1_000);
    expect(b.sockets).toHaveLength(0);
    expect(b.errors).toEqual([]);
  });

  it("reconnect dials at once, from any phase", async () => {
    random(1);
    const b = bench();
    b.client.reconnect();
    await settle();
    b.socket.up();
    b.client.reconnect();
    expect(b.client.state).toMatchObject({ phase: "reconnecting", stale: true, retryAt: null });
    await settle();
    expect(b.sockets).toHaveLength(2);
    expect(b.sockets[0]?.closedWith).toBe(1000);
    b.socket.end();
    expect(b.client.state.retryAt).toBe(Date.now() + 1_000);
    b.client.reconnect();
    await settle();
    expect(b.sockets).toHaveLength(3);
    b.socket.up();
    await pass(20_000); // a second chain of attempts would show
    expect(b.sockets).toHaveLength(3);
    expect(b.socket.closedWith).toBeUndefined();
  });
});

describe("the connect timeout", () => {
  it("covers getToken", async () => {
    random(1);
    let signal: AbortSignal | undefined;
    const b = bench({
      getToken: (context) => {
        signal = context.signal;
        return new Promise(() => {});
      },
    });
    b.client.connect();
    await pass(9_999);
    expect(b.client.state.phase).toBe("connecting");
    await pass(1);
    expect(b.client.state).toMatchObject({ phase: "reconnecting", reason: "timeout", attempt: 1 });
    expect(signal?.aborted).toBe(true);
  });

  it("covers everything up to hub.hello, and nothing after", async () => {
    random(1);
    const b = bench({ connectTimeoutMs: 2_000, getToken: () => new Promise((r) => setTimeout(r, 1_500, "t")) });
    b.client.connect();
    await pass(2_000);
    expect(b.socket.closedWith).toBe(1000);
    await pass(1_000 + 1_500);
    b.socket.hello(0);
    await pass(10_000);
    expect(b.sockets).toHaveLength(2);
    expect(b.client.state.phase).toBe("connected");
  });

  it("does not let a late token open a socket", async () => {
    random(1);
    let first: ((token: string) => void) | undefined;
    const b = bench({ getToken: () => new Promise((resolve) => (first ??= resolve)) });
    b.client.connect();
    await pass(10_000);
    first?.("late");
    await pass(0);
    expect(b.sockets).toHaveLength(0);
  });
});

describe("stale sockets", () => {
  it("cannot touch what came after them", async () => {
    random(0);
    const b = bench();
    const got: unknown[] = [];
    b.client.on("*", (payload) => got.push(payload));
    const first = await b.dial();
    first.up(1);
    first.remember();
    b.client.reconnect();
    await settle();
    const second = b.socket;
    const dialling = b.client.state;
    first.fireLate({ type: "hub.live", payload: null, timestamp: ts(1) });
    first.fireLate({ type: "hub.hello", payload: { epoch: "e1", verdict: "fresh" }, timestamp: ts(1) });
    expect(b.client.state).toBe(dialling);
    second.up(1);
    const { state, cursor: before } = b.client;
    first.fireLate({ type: "A", payload: "late", timestamp: ts(9) });
    first.fireLate({ type: "hub.gap", payload: { reason: "lagged" }, timestamp: ts(9) });
    first.fireLateClose(4403, "revoked");
    await pass(0);
    expect(b.client.state).toBe(state);
    expect(b.client.cursor).toBe(before);
    expect(got).toEqual([]);
    expect(second.closedWith).toBeUndefined();
    expect(b.sockets).toHaveLength(2);
  });
});

describe("where there is no WebSocket", () => {
  it("can be imported and made, and says so when it is to connect", async () => {
    vi.stubGlobal("WebSocket", undefined);
    const errors: unknown[] = [];
    const client = createClient({ url: "ws://hub.example/", onError: (e) => errors.push(e) });
    expect(client.state.phase).toBe("idle");
    client.connect();
    await settle();
    expect(String(errors[0])).toContain("set options.WebSocket");
    client.destroy();
  });

  it("uses the global one when it is there", async () => {
    const opened: string[] = [];
    class Global extends FakeSocket {
      constructor(url: string) {
        super(url);
        opened.push(url);
      }
    }
    vi.stubGlobal("WebSocket", Global);
    const client = createClient({ url: "ws://hub.example/" });
    client.connect();
    await settle();
    expect(opened).toHaveLength(1);
    client.close();
  });
});
