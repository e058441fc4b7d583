import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { cursor, pass } from "./kit.ts";
import { settle, state, three, two } from "./tabs-kit.ts";

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

describe("the hand-over", () => {
  for (const end of ["crash", "close"] as const) {
    it(`after a ${end} of the leading tab loses and doubles nothing`, async () => {
      const { w, a, b } = await two();
      const c = await w.open();
      w.socket.event("A", 11);
      await settle();
      w.socket.event("A", 12); // is on its way to the others
      a[end]();
      await settle();
      await settle();
      expect(w.openSockets).toHaveLength(1);
      expect(w.openSockets[0]).toBe(b.socket);
      expect(w.socket.query).toMatchObject(cursor(12, 10));
      expect([state(b.client), state(c.client)]).toEqual(["reconnecting", "reconnecting"]);
      w.socket.hello(12, { global: 10 });
      w.socket.event("A", 13);
      w.socket.live(13);
      await settle();
      for (const tab of [b, c]) {
        expect(w.heard(tab)).toEqual([11, 12, 13]);
        expect(w.gaps(tab)).toEqual([]);
        expect(state(tab.client)).toBe("connected live");
      }
    });
  }

  it("to a tab that is ahead of another resumes for the one behind", async () => {
    const { w, delays, a, b, c } = await three();
    delays.push(0, 20_000); // to b at once, to c never in time
    w.socket.event("A", 11);
    a.crash();
    await settle();
    expect([w.heard(b), w.heard(c)]).toEqual([[11], []]);
    expect(w.socket.query).toMatchObject(cursor(11, 10));
    w.socket.up(11, { global: 10 });
    await settle();
    await settle();
    expect(w.socket.query).toMatchObject(cursor(10, 10)); // c's
    w.socket.hello(10, { global: 10 });
    w.socket.event("A", 11);
    w.socket.live(11);
    await pass(20_001);
    for (const tab of [b, c]) {
      expect(w.heard(tab)).toEqual([11]);
      expect(w.gaps(tab)).toEqual([]);
      expect(state(tab.client)).toBe("connected live");
    }
  });

  it("does not mix the last words of the old leader with the new one's", async () => {
    const { w, delays, a, b, c } = await three();
    delays.push(0, 40, 0, 80); // 11 and 12, to b at once, to c late
    w.socket.event("A", 11);
    w.socket.event("A", 12);
    a.crash();
    await pass(20); // c hears of its new leader
    expect(w.socket.query).toMatchObject(cursor(12, 10));
    w.socket.up(12, { global: 10 });
    await pass(20); // and is behind it; 11 has come from nobody's leader
    expect(w.socket.query).toMatchObject(cursor(10, 10));
    w.socket.hello(10, { global: 10 });
    await pass(60); // 12 has come from nobody's leader
    w.socket.event("A", 11);
    w.socket.event("A", 12);
    w.socket.live(12);
    await settle();
    for (const tab of [b, c]) expect(w.heard(tab)).toEqual([11, 12]);
  });

  it("does not dial again what the hub has closed for good", async () => {
    const { w, a, b } = await two();
    w.socket.end(4403, "revoked");
    await settle();
    a.close();
    await pass(60_000);
    expect(w.sockets).toHaveLength(1);
    expect(b.client.state).toMatchObject({ phase: "closed", code: 4403 });
    b.client.connect();
    await settle();
    expect(w.sockets).toHaveLength(2);
  });

  it("rejects the pings that the old leader cannot answer any more", async () => {
    const { w, a, b } = await two();
    const asked = expect(b.client.ping()).rejects.toThrow("not connected");
    await settle();
    a.crash();
    await pass(3_000);
    await asked;
    expect(w.openSockets).toHaveLength(1);
  });

  it("passes a tab by that has closed its client meanwhile, and takes it back when it connects", async () => {
    const { w, a, b } = await two();
    const c = await w.open();
    expect(w.browser.waiting).toBe(2);
    b.client.close();
    expect(w.browser.waiting).toBe(1);
    a.close();
    await settle();
    await settle();
    expect(w.browser.leader).toBe(c);
    w.socket.up(10, { global: 10 });
    w.socket.event("A", 11);
    b.connect();
    await settle();
    await settle();
    expect(w.heard(b)).toEqual([11]);
    expect(w.openSockets).toHaveLength(1);
  });

  it("the leader's own close hands over; destroy forgets its cursor only", async () => {
    const { w, a, b } = await two();
    a.client.close();
    await settle();
    await settle();
    expect(state(a.client)).toBe("idle");
    expect(w.browser.leader).toBe(b);
    a.client.destroy();
    expect(a.client.cursor).toBeNull();
    expect(b.client.cursor).toEqual(cursor(10, 10));
  });
});
