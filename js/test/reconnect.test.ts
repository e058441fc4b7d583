import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { bench, pass, random, settle, ts } from "./kit.ts";

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

/** Ends every connection before hub.hello and returns how long the client waited before each. */
async function delays(b: ReturnType<typeof bench>, n: number, code = 1006, reason = "") {
  const waited: number[] = [];
  for (let i = 0; i < n; i++) {
    b.socket.end(code, reason);
    const { retryAt } = b.client.state;
    waited.push((retryAt ?? Number.NaN) - Date.now());
    await pass((retryAt ?? 0) - Date.now());
    await settle();
  }
  return waited;
}

describe("backoff", () => {
  it("doubles from 1 s to 30 s", async () => {
    random(1);
    const b = bench();
    await b.dial();
    expect(await delays(b, 8)).toEqual([1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000, 30_000]);
    expect(b.client.state.attempt).toBe(8);
  });

  it("is a random part of that: full jitter", async () => {
    random(0.25);
    const b = bench();
    await b.dial();
    expect(await delays(b, 3)).toEqual([250, 500, 1_000]);
  });

  it("can be set", async () => {
    random(1);
    const b = bench({ backoff: { minMs: 10, maxMs: 50 } });
    await b.dial();
    expect(await delays(b, 4)).toEqual([10, 20, 40, 50]);
  });

  it("without an upper bound does not fire at once when it is longer than a timer can be", async () => {
    random(1);
    const b = bench({ backoff: { maxMs: Number.POSITIVE_INFINITY }, connectTimeoutMs: Number.POSITIVE_INFINITY });
    await b.dial();
    await delays(b, 21);
    b.socket.end();
    expect(b.client.state.retryAt).toBe(Date.now() + 1_000 * 2 ** 21);
    await pass(1_000_000);
    expect(b.sockets).toHaveLength(22);
  });

  it("starts anew only after hub.live and 5 s up", async () => {
    random(1);
    const b = bench();
    await b.dial();
    await delays(b, 2);
    b.socket.hello(0);
    await pass(25_000); // long up, but never live
    b.socket.end();
    expect(b.client.state.attempt).toBe(3);
    await pass(4_000);
    b.socket.up();
    await pass(4_999);
    b.socket.end();
    expect(b.client.state).toMatchObject({ attempt: 4, retryAt: Date.now() + 8_000 });
    await pass(8_000);
    b.socket.up();
    await pass(5_000);
    expect(b.client.state.attempt).toBe(0);
    b.socket.end();
    expect(b.client.state).toMatchObject({ attempt: 1, retryAt: Date.now() + 1_000 });
  });

  it("says what it waits for and why", async () => {
    random(1);
    const b = bench();
    (await b.dial()).up();
    b.socket.end(1011, "a callback panicked");
    expect(b.client.state).toEqual({
      phase: "reconnecting",
      attempt: 1,
      retryAt: Date.now() + 1_000,
      stale: true,
      reason: "a callback panicked",
      code: 1011,
    });
    await pass(1_000);
    expect(b.client.state).toMatchObject({ phase: "reconnecting", retryAt: null, code: 1011 });
    b.socket.up();
    expect(b.client.state).toMatchObject({ phase: "connected", stale: false, reason: undefined, code: undefined });
  });

  it("applies to errors of url and of the WebSocket constructor, which are reported", async () => {
    random(1);
    const url = vi.fn(() => Promise.reject(new Error("no route")));
    const b = bench({ url });
    b.client.connect();
    await pass(7_000);
    expect(url).toHaveBeenCalledTimes(4);
    expect(b.errors).toHaveLength(4);
    expect(b.client.state).toMatchObject({ reason: "no route", attempt: 4 });

    class Blocked {
      constructor() {
        throw new SyntaxError("bad protocol");
      }
    }
    const c = bench({ WebSocket: Blocked as never });
    c.client.connect();
    await pass(0);
    expect(c.client.state).toMatchObject({ reason: "bad protocol", attempt: 1 });
  });
});

describe("close codes", () => {
  for (const code of [4403, 4409]) {
    it(`${code} stops until the user acts`, async () => {
      const b = bench();
      (await b.dial()).up();
      b.socket.end(code, "said the hub");
      expect(b.client.state).toEqual({
        phase: "closed",
        attempt: 0,
        retryAt: null,
        stale: true,
        reason: "said the hub",
        code,
      });
      await pass(3_600_000);
      expect(b.sockets).toHaveLength(1);
      await b.dial();
      expect(b.sockets).toHaveLength(2);
      expect(b.client.state).toMatchObject({ phase: "connecting", reason: undefined, code: undefined });
      b.socket.end(code);
      b.client.reconnect();
      await settle();
      expect(b.sockets).toHaveLength(3);
    });
  }

  for (const code of [1000, 1001, 1006, 1008, 1009, 1011, 1013, 4429, 4999]) {
    it(`${code} retries with backoff`, async () => {
      random(1);
      const b = bench();
      (await b.dial()).up();
      b.socket.end(code);
      expect(b.client.state).toMatchObject({ phase: "reconnecting", code, retryAt: Date.now() + 1_000 });
      expect(b.client.state.reason).toBe("lost");
    });
  }

  it("1012 waits a random part of the announced spread", async () => {
    for (const [part, want] of [
      [1, 20_000],
      [0.5, 10_000],
      [0, 0],
    ] as const) {
      random(part);
      const b = bench();
      (await b.dial()).up();
      b.socket.end(1012, "restarting; spreadMs=20000");
      expect(b.client.state.retryAt).toBe(Date.now() + want);
    }
  });

  it("1012 without a spread, or with one of nothing again and again, still backs off", async () => {
    random(1);
    for (const reason of ["", "restarting", "restarting; spreadMs=0", "spreadMs=x"]) {
      const b = bench();
      await b.dial();
      expect(await delays(b, 4, 1012, reason), reason).toEqual([1_000, 2_000, 4_000, 8_000]);
    }
  });
});

describe("tokens", () => {
  it("a refused one is asked for again, and never in a tight loop", async () => {
    random(0); // the least that full jitter allows
    const reasons: string[] = [];
    const b = bench({ getToken: tokensInto(reasons) });
    await b.dial();
    for (let i = 0; i < 5; i++) {
      b.socket.end(4401, "token invalid");
      const n = b.sockets.length;
      await pass(999);
      expect(b.sockets).toHaveLength(n);
      await pass(1);
      expect(b.sockets).toHaveLength(n + 1);
    }
    expect(reasons).toEqual(["connect", ...Array(5).fill("refused")]);
  });

  it("backs off from refusals up to 30 s and more", async () => {
    random(1);
    const b = bench({ getToken: () => "t" });
    await b.dial();
    expect(await delays(b, 7, 4401, "token invalid")).toEqual(
      [1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000].map((ms) => ms + 1_000),
    );
  });

  it("one that ended while connected is asked for as expired", async () => {
    random(0);
    const reasons: string[] = [];
    const b = bench({ getToken: tokensInto(reasons) });
    (await b.dial()).up();
    b.socket.end(4401, "token expired");
    await settle();
    await settle();
    expect(reasons).toEqual(["connect", "expired"]);
    expect(b.socket.token).toBe("t2");
    b.socket.up();
    b.socket.end();
    await settle();
    await settle();
    expect(reasons).toEqual(["connect", "expired", "connect"]);
  });

  it("stays asked for as refused until one is accepted", async () => {
    random(0);
    const reasons: string[] = [];
    const b = bench({ getToken: tokensInto(reasons) });
    (await b.dial()).end(4401, "token invalid");
    await pass(1_000);
    b.socket.end(1006); // before anyone has looked at it
    await pass(1_000);
    expect(reasons).toEqual(["connect", "refused", "refused"]);
  });

  it("a rejection of getToken is reported and retried with backoff", async () => {
    random(1);
    const getToken = vi.fn(() => Promise.reject(new Error("offline")));
    const b = bench({ getToken });
    b.client.connect();
    await pass(3_000);
    expect(getToken).toHaveBeenCalledTimes(3);
    expect(b.client.state).toMatchObject({ phase: "reconnecting", reason: "offline", attempt: 3 });
    expect(b.errors).toHaveLength(3);
  });

  it("no token at all is an error that names getToken", async () => {
    const b = bench({ getToken: () => undefined as never });
    b.client.connect();
    await settle();
    expect(String(b.errors[0])).toContain("getToken");
    expect(b.sockets).toHaveLength(0);
  });

  it("an error that is not an Error is no obstacle", async () => {
    random(1);
    for (const thrown of [undefined, null, "plain", { message: 7 }]) {
      const b = bench({ getToken: () => Promise.reject(thrown) });
      b.client.connect();
      await settle();
      expect(b.client.state).toMatchObject({ phase: "reconnecting", attempt: 1 });
      expect(b.errors).toEqual([thrown]);
      b.client.close();
    }
  });
});

describe("renewal in place", () => {
  const expiring = { type: "hub.expiring", payload: { expiresAt: ts(60_000_000) } };
  const auth = (token: string) => JSON.stringify({ type: "hub.auth", payload: { token } });

  it("answers hub.expiring with a new token on the same socket", async () => {
    const reasons: string[] = [];
    const b = bench({ getToken: tokensInto(reasons) });
    const socket = await b.dial();
    socket.up();
    await pass(20_000);
    socket.frame(expiring);
    await settle();
    expect(socket.sent).toEqual([auth("t2")]);
    expect(reasons).toEqual(["connect", "expired"]);
    expect(b.sockets).toHaveLength(1);
  });

  it("does not run in a circle with tokens that live for less than their warning", async () => {
    const getToken = vi.fn(() => "t");
    const b = bench({ getToken });
    const socket = await b.dial();
    socket.up();
    for (let s = 0; s < 60; s++) {
      socket.frame(expiring);
      await pass(1_000);
    }
    expect(getToken.mock.calls.length).toBeLessThanOrEqual(1 + 6);
  });

  it("tries again in 10 s if getToken fails, and leaves the rest to the hub", async () => {
    let n = 0;
    const b = bench({
      getToken: () => {
        if (++n === 2) throw new Error("flaky");
        return `t${n}`;
      },
    });
    const socket = await b.dial();
    socket.up();
    await pass(20_000);
    socket.frame(expiring);
    await settle();
    expect(b.errors).toEqual([new Error("flaky")]);
    await pass(10_000);
    expect(socket.sent).toContain(auth("t3"));
  });

  it("stops if getToken says that the user is logged out", async () => {
    let n = 0;
    const b = bench({
      getToken: () => {
        if (++n === 2) throw Object.assign(new Error(), { name: "Unauthorized" });
        return "t";
      },
    });
    const socket = await b.dial();
    socket.up();
    await pass(20_000);
    socket.frame(expiring);
    await settle();
    expect(b.client.state).toMatchObject({ phase: "closed", reason: "unauthorized" });
    expect(socket.closedWith).toBe(1000);
  });

  it("does not send what the hub would close for: a token over its 4 KiB", async () => {
    const b = bench({ getToken: ({ reason }) => (reason === "expired" ? "x".repeat(4_096) : "t") });
    const socket = await b.dial();
    socket.up();
    await pass(20_000);
    socket.frame(expiring);
    await pass(20_000);
    expect(socket.sent.filter((s) => s.includes("hub.auth"))).toEqual([]);
  });

  it("sends nothing on the socket that came after", async () => {
    random(0);
    let give: ((token: string) => void) | undefined;
    const b = bench({
      getToken: ({ reason }) => (reason === "expired" ? new Promise((resolve) => (give = resolve)) : "t"),
    });
    (await b.dial()).up();
    await pass(20_000);
    b.socket.frame(expiring);
    await settle();
    b.client.reconnect();
    await settle();
    b.socket.up();
    give?.("old");
    await settle();
    for (const socket of b.sockets) expect(socket.sent.filter((s) => s.includes("old"))).toEqual([]);
  });

  it("does nothing without getToken", async () => {
    const b = bench();
    const socket = await b.dial();
    socket.up();
    await pass(20_000);
    socket.frame(expiring);
    await pass(1_000);
    expect(socket.sent).toEqual([]);
  });
});

/** A getToken that gives t1, t2, … and writes down why it was asked. */
function tokensInto(reasons: string[]) {
  let n = 0;
  return (context: { reason: string }) => {
    reasons.push(context.reason);
    return `t${++n}`;
  };
}
