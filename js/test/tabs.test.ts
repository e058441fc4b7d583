import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { Unauthorized } from "../src/index.ts";
import { shareTabs } from "../src/tabs/index.ts";
import { bench, cursor, pass, random } from "./kit.ts";
import { settle, setup, state, two } from "./tabs-kit.ts";

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

describe("tabs of one user", () => {
  it("share one socket and its state, cursor and events", async () => {
    const { w, a, b } = await two();
    expect(w.sockets).toHaveLength(1);
    expect([state(a.client), state(b.client)]).toEqual(["connected live", "connected live"]);
    expect(b.client.cursor).toEqual(cursor(10, 10));
    w.socket.event("A", 11);
    w.socket.event("A", 12, "all", { scope: "all" });
    await settle();
    expect([w.heard(a), w.heard(b)]).toEqual([
      [11, "all"],
      [11, "all"],
    ]);
    expect(b.client.cursor).toEqual(cursor(11, 12));
    w.socket.end(1006);
    await settle();
    expect(b.client.state).toEqual(a.client.state);
    expect(b.client.state).toMatchObject({ phase: "reconnecting", code: 1006, stale: true });
  });

  it("that came before there was a leader's socket share it too", async () => {
    const w = setup();
    const a = await w.open();
    const b = await w.open();
    expect(w.sockets).toHaveLength(1);
    expect(state(b.client)).toBe("connecting");
    w.socket.up(10);
    w.socket.event("A", 11);
    await settle();
    expect([w.heard(a), w.heard(b)]).toEqual([[11], [11]]);
    expect(state(b.client)).toBe("connected live");
  });

  it("of different users, and of different names, share nothing", async () => {
    const w = setup();
    await w.open({}, "u1");
    await w.open({}, "u2");
    await w.open({ share: shareTabs({ user: "u1", name: "other" }) });
    expect(w.openSockets).toHaveLength(3);
    // The names are put together so that no user can be mistaken for another.
    await w.open({ share: shareTabs({ user: '1",u', name: "" }) });
    expect(w.openSockets).toHaveLength(4);
  });

  it("do not name one tab's device to the hub, so that Except leaves none of them out", async () => {
    const { w } = await two({ deviceId: "mine" });
    expect(w.socket.query.device).toBeUndefined();
  });

  it("late ones get the latest values and nothing else of the past", async () => {
    const w = setup();
    await w.open();
    w.socket.up(10, { global: 10 });
    w.socket.event("A", 11);
    w.socket.event("P", 12, "old", { class: "latest", key: "k" });
    w.socket.event("P", 13, "new", { class: "latest", key: "k" });
    w.socket.event("T", 14, "t", { class: "transient" });
    w.socket.event("P", 15, "all", { class: "latest", key: "g", scope: "all" });
    const b = await w.open();
    await settle();
    expect(w.heard(b)).toEqual(["new", "all"]);
    expect(b.client.latest("P", "k")).toBe("new");
    expect(b.client.cursor).toEqual(cursor(14, 15));
    expect(w.gaps(b)).toEqual([]);
  });

  it("late ones with their page's cursor get what came since, from the tab that leads", async () => {
    const w = setup();
    await w.open();
    w.socket.up(10, { global: 10 });
    await settle();
    for (const at of [11, 12, 13]) w.socket.event("A", at);
    w.socket.event("A", 12, "all", { scope: "all" });
    w.socket.event("T", 14, "transient", { class: "transient" });
    const stale: boolean[] = [];
    const b = await w.open({ initialCursor: cursor(11, 10) }, undefined, ({ client }) => {
      client.on("A", () => stale.push(client.state.stale));
    });
    await settle();
    expect(w.heard(b)).toEqual([12, 13, "all"]);
    expect(stale).toEqual([true, true, true]); // whatever the leader is
    expect(b.client.cursor).toEqual(cursor(14, 12));
    expect(w.sockets).toHaveLength(1);
    expect(state(b.client)).toBe("connected live");
  });

  it("that are behind what the leader has kept make the socket resume for them", async () => {
    const w = setup();
    const a = await w.open();
    w.socket.up(10, { global: 10 });
    await settle();
    for (let at = 11; at <= 300; at++) w.socket.event("A", at);
    const b = await w.open({ initialCursor: cursor(50, 10) });
    await settle();
    expect(w.openSockets).toHaveLength(1);
    expect(w.socket.query).toMatchObject({ lastEventTs: cursor(50).lastEventTs });
    expect(state(b.client)).toBe("reconnecting");
    w.socket.hello(50, { global: 10 });
    for (let at = 51; at <= 301; at++) w.socket.event("A", at);
    w.socket.live(301);
    await settle();
    expect(w.heard(b)).toEqual(Array.from({ length: 251 }, (_, i) => i + 51));
    expect(w.heard(a)).toEqual(Array.from({ length: 291 }, (_, i) => i + 11)); // none twice
    expect([...(w.gaps(a) ?? []), ...(w.gaps(b) ?? [])]).toEqual([]);
  });

  it("that come after a gap are not taken to have what lies beside its start", async () => {
    const w = setup();
    await w.open({ initialCursor: cursor(1, 10) });
    // 42 was evicted. Two values stand as the immediate past of where the connection goes on.
    w.socket.hello(40, { verdict: "gap", reason: "evicted", global: 10 });
    w.socket.frame({ type: "hub.gap", payload: { reason: "evicted" }, timestamp: cursor(40).lastEventTs });
    w.socket.event("P", 41, "x", { class: "latest", key: "x" });
    w.socket.event("P", 42, "y", { class: "latest", key: "y" });
    w.socket.event("A", 43);
    w.socket.live(43);
    await settle();
    await w.open({ initialCursor: cursor(41, 10) });
    expect(w.socket.query).toMatchObject(cursor(41, 10)); // the hub must say what is missing
    expect(w.sockets).toHaveLength(2);
  });

  it("with a cursor of another epoch are told of the gap", async () => {
    const w = setup();
    const a = await w.open();
    w.socket.up(10, { global: 10 });
    const b = await w.open({ initialCursor: cursor(50, 10, "e0") });
    await settle();
    expect(w.gaps(b)).toEqual([{ reason: "restarted", from: cursor(50, 10, "e0") }]);
    expect(w.gaps(a)).toEqual([]);
    expect(b.client.cursor).toEqual(cursor(10, 10));
  });

  it("are all told of a gap of the socket", async () => {
    const { w, a, b } = await two();
    w.socket.frame({ type: "hub.gap", payload: { reason: "lagged" }, timestamp: cursor(20).lastEventTs });
    await settle();
    for (const tab of [a, b]) expect(w.gaps(tab)).toEqual([{ reason: "lagged", from: cursor(10, 10) }]);
  });

  it("send, ping and probe through the tab that leads", async () => {
    const { w, b } = await two();
    expect(b.client.send({ a: 1 })).toBe(true);
    const asked = b.client.ping();
    await settle();
    expect(w.socket.sent).toEqual(['{"a":1}', "ping"]);
    await pass(8);
    w.socket.pong();
    await settle();
    expect(await asked).toBeGreaterThanOrEqual(8);
    w.socket.end();
    await settle();
    expect(b.client.send("x")).toBe(false);
    const refused = expect(b.client.ping()).rejects.toThrow("not connected");
    await pass(3_000);
    await refused;
  });

  it("reconnect from any tab, also what the hub has closed", async () => {
    const { w, a, b } = await two();
    w.socket.end(4409, "too many");
    await settle();
    expect(b.client.state).toMatchObject({ phase: "closed", code: 4409, reason: "too many" });
    b.client.connect();
    await settle();
    expect(w.sockets).toHaveLength(2);
    expect([state(a.client), state(b.client)]).toEqual(["connecting", "connecting"]);
    w.socket.up(10, { global: 10 });
    await settle();
    expect([state(a.client), state(b.client)]).toEqual(["connected live", "connected live"]);
    b.client.reconnect();
    await settle();
    expect(w.sockets).toHaveLength(3);
  });

  it("end together when the user is logged out", async () => {
    let out = false;
    const { w, b } = await two({
      getToken: () => {
        if (out) throw new Unauthorized();
        return "t";
      },
    });
    random(0);
    out = true;
    w.socket.end(1006);
    await settle();
    await settle();
    await settle();
    expect(b.client.state).toMatchObject({ phase: "closed", reason: "unauthorized" });
  });
});

describe("without Web Locks", () => {
  it("each tab has a socket of its own", async () => {
    vi.stubGlobal("navigator", {});
    const [a, b] = [bench({ share: shareTabs({ user: "u1" }) }), bench({ share: shareTabs({ user: "u1" }) })];
    (await a.dial()).up();
    (await b.dial()).up();
    const got: unknown[] = [];
    a.client.on("A", (payload) => got.push(payload));
    a.socket.event("A", 1);
    expect(got).toEqual([1]);
    expect(a.client.send("x")).toBe(true);
    a.client.reconnect();
    await settle();
    expect(a.sockets).toHaveLength(2);
    a.client.close();
    expect(a.socket.closedWith).toBe(1000);
  });

  it("or without the right to lock it does alone", async () => {
    const request = () => Promise.reject(new DOMException("no", "SecurityError"));
    vi.stubGlobal("navigator", { locks: { request } });
    const a = bench({ share: shareTabs({ user: "u1" }) });
    expect((await a.dial()).closedWith).toBeUndefined();
    a.client.destroy();
  });

  it("imports and is made on a server", () => {
    vi.stubGlobal("navigator", undefined);
    const a = bench({ share: shareTabs({ user: "u1" }) });
    expect(a.client.state.phase).toBe("idle");
    a.client.destroy();
  });
});
