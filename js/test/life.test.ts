import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { Unauthorized } from "../src/index.ts";
import { bench, cursor, pass, settle, ts } from "./kit.ts";

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

describe("retain", () => {
  it("connects with the first and disconnects one task after the last", async () => {
    const b = bench();
    const a = b.client.retain();
    const c = b.client.retain();
    await settle();
    b.socket.up();
    a();
    a(); // twice is once
    await settle();
    expect(b.client.state.phase).toBe("connected");
    c();
    expect(b.client.state.phase).toBe("connected");
    await settle();
    expect(b.client.state.phase).toBe("idle");
  });

  it("keeps the socket when StrictMode releases and retains in one task", async () => {
    const b = bench();
    const release = b.client.retain();
    release();
    b.client.retain();
    await settle();
    await pass(1);
    expect(b.sockets).toHaveLength(1);
    expect(b.sockets[0]?.closedWith).toBeUndefined();
  });

  it("does not end what connect began", async () => {
    const b = bench();
    await b.dial();
    b.client.retain()();
    await settle();
    expect(b.socket.closedWith).toBeUndefined();
  });

  it("does not revive what the hub has closed, but connect does", async () => {
    const b = bench();
    const release = b.client.retain();
    await settle();
    b.socket.hello(0);
    b.socket.end(4409, "too many connections of this user");
    release();
    await settle();
    expect(b.client.state.phase).toBe("closed");
    b.client.retain();
    await pass(60_000);
    expect(b.sockets).toHaveLength(1);
    await b.dial();
    expect(b.sockets).toHaveLength(2);
  });
});

describe("destroy", () => {
  it("leaves nothing of the user behind", async () => {
    const saved: unknown[] = [];
    const b = bench<{ A: number; P: number }>({
      getToken: () => "t",
      cursor: { load: () => cursor(1), save: (c) => saved.push(c) },
    });
    const handler = vi.fn();
    b.client.on("A", handler);
    b.client.onGap(handler);
    const socket = await b.dial();
    socket.up(1);
    socket.event("P", 2, 50, { class: "latest", key: "job:1" });
    socket.remember();
    const waiting = b.client.once("A");
    const refused = expect(waiting).rejects.toThrow("destroyed");
    b.client.destroy();
    await refused;
    expect(socket.closedWith).toBe(1000);
    expect(b.client.state).toMatchObject({ phase: "closed", reason: "destroyed", stale: true });
    expect(b.client.cursor).toBeNull();
    expect(b.client.latest("P")).toBeUndefined();
    expect(b.client.latest("P", "job:1")).toBeUndefined();
    expect(saved.at(-1)).toBeNull();
    socket.fireLate({ type: "A", payload: 1, timestamp: ts(9) });
    expect(handler).not.toHaveBeenCalled();
    expect(b.client.cursor).toBeNull();
    expect(saved.at(-1)).toBeNull();
    expect(vi.getTimerCount()).toBe(0);
  });

  it("cannot be undone, and everything called after it is harmless", async () => {
    const b = bench();
    b.client.destroy();
    b.client.destroy();
    b.client.connect();
    b.client.reconnect();
    b.client.close();
    const release = b.client.retain();
    b.client.on("A", () => {})();
    b.client.subscribeState(() => {})();
    release();
    await pass(60_000);
    expect(b.sockets).toHaveLength(0);
    expect(b.client.send("x")).toBe(false);
    await expect(b.client.ping()).rejects.toThrow("not connected");
    await expect(b.client.once("A")).rejects.toThrow("destroyed");
    expect(b.client.state).toMatchObject({ phase: "closed", reason: "destroyed" });
  });

  it("in the middle of an event stops the other handlers and saves nothing", async () => {
    const saved: unknown[] = [];
    const b = bench({ cursor: { load: () => null, save: (c) => saved.push(c) } });
    const second = vi.fn();
    b.client.on("A", () => b.client.destroy());
    b.client.on("A", second);
    const socket = await b.dial();
    socket.up();
    socket.event("A", 1);
    expect(second).not.toHaveBeenCalled();
    expect(saved.at(-1)).toBeNull();
    expect(b.client.cursor).toBeNull();
  });
});

describe("Unauthorized", () => {
  it("stops, whichever copy of the package it came from", async () => {
    class Foreign extends Error {
      override name = "Unauthorized";
    }
    for (const error of [new Unauthorized("logged out"), new Foreign()]) {
      const b = bench({ getToken: () => Promise.reject(error) });
      b.client.connect();
      await pass(3_600_000);
      expect(b.client.state).toMatchObject({ phase: "closed", reason: "unauthorized" });
      expect(b.errors).toEqual([]);
      expect(b.sockets).toHaveLength(0);
    }
  });
});
