import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { WebSocketConstructor } from "../src/index.ts";
import { Browser, type Tab } from "./browser.ts";
import { Conn, type Entry, Hub, type Random, seeded } from "./hub.ts";
import { FakeSocket, pass } from "./kit.ts";
import { Witness } from "./oracle.ts";

// USERCAST_SEEDS=5000 npx vitest run test/tabs-property.test.ts
const seeds = Number(process.env.USERCAST_SEEDS ?? 100);
const steps = 100;

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.unstubAllGlobals();
  vi.useRealTimers();
});

/** Tabs that come, go and crash on one socket. */
class World {
  readonly hub: Hub;
  readonly browser: Browser;
  readonly kinds = new Map<number, Entry["kind"]>();
  readonly witnesses = new Map<Tab, Witness>();
  readonly errors: unknown[] = [];
  conns: Conn[] = [];
  gaps = 0;
  lossy = false;
  /** Most sockets that were open at one time. */
  most = 0;
  handovers = 0;
  private readonly Socket: WebSocketConstructor;

  /** calm: the hub never has a gap, so nobody may be told of one, and nothing may come twice. */
  constructor(
    private readonly random: Random,
    private readonly calm: boolean,
  ) {
    this.hub = new Hub(calm ? 10_000 : 8, random);
    this.browser = new Browser(() => Math.floor(random() * 15));
    for (let i = 0; i < 5; i++) this.publish();
    const world = this;
    this.Socket = class extends FakeSocket {
      constructor(url: string, protocols?: string | string[]) {
        super(url, protocols);
        setTimeout(() => world.accept(this), Math.floor(random() * 30));
      }
    } as unknown as WebSocketConstructor;
  }

  publish() {
    const { id, kind } = this.hub.publish();
    this.kinds.set(id, kind);
  }

  accept(socket: FakeSocket) {
    if (socket.readyState !== 1) return;
    const conn = new Conn(this.hub, socket);
    const next = conn.next.bind(conn);
    conn.next = () => {
      const frame = next();
      const { reason, verdict } = (frame?.payload ?? {}) as Record<string, unknown>;
      if (verdict === "gap") this.gaps++;
      if (frame?.type === "hub.gap" && reason === "lagged") {
        this.gaps++;
        this.lossy = true;
      }
      return frame;
    };
    this.conns.push(conn);
  }

  open() {
    this.conns = this.conns.filter((c) => c.socket.readyState === 1);
    this.most = Math.max(this.most, this.conns.length);
    return this.conns;
  }

  openTab() {
    const { random } = this;
    const tab = this.browser.open({
      WebSocket: this.Socket,
      initialCursor: random() < 0.7 ? this.hub.cursor() : null,
      onError: (error) => this.errors.push(error),
    });
    this.witnesses.set(tab, new Witness(tab.client, this.hub, this.kinds, !this.calm));
    // The page's data is a moment old when its client connects.
    for (let n = Math.floor(random() * 3); n > 0; n--) this.publish();
    tab.connect();
  }

  async step() {
    const { random } = this;
    const pick = random();
    const tabs = this.browser.living;
    const tab = tabs[Math.floor(random() * tabs.length)];
    const conn = this.open().at(-1);
    if (tabs.length === 0 || (pick < 0.08 && tabs.length < 4)) this.openTab();
    else if (pick < 0.14 && tab) {
      if (tab === this.browser.leader) this.handovers++;
      if (random() < 0.5) tab.crash();
      else tab.close();
    } else if (pick < 0.5) this.publish();
    else if (pick < 0.78) conn?.pump(1 + Math.floor(random() * 6));
    else if (pick < 0.83) conn?.socket.end(1006);
    else if (pick < 0.85) tab?.client.reconnect();
    else if (pick < 0.86 && !this.calm) {
      for (const c of this.open()) c.socket.end(1012, "restarting; spreadMs=1000");
      this.hub.restart();
    } else if (pick < 0.88 && tab) {
      tab.client.close();
      tab.connect();
    } else await pass(Math.floor(random() * 300));
    await pass(Math.floor(random() * 4));
    this.begin();
  }

  /** A page without a cursor begins where its first connection is live. */
  private begin() {
    for (const [{ dead, client }, witness] of this.witnesses) {
      if (!dead && !client.state.stale) witness.start ??= client.cursor;
    }
  }

  private get settled() {
    const { living } = this.browser;
    return living.every(({ client: { state } }) => state.phase === "connected" && !state.stale);
  }

  async rest() {
    for (let i = 0; i < 100; i++) {
      await pass(500);
      for (const conn of this.open()) {
        conn.pump();
        for (let n = conn.socket.pings; n > 0; n--) conn.socket.pong();
      }
      await pass(50); // the messages between tabs
      if (this.settled) break;
    }
    for (const conn of this.open()) conn.beat();
    await pass(50);
    this.begin();
  }
}

describe("tabs on one socket, through whatever happens to them", () => {
  for (const calm of [true, false]) {
    it(`${calm ? "hear everything once" : "hear everything or of a gap"}: ${seeds} schedules`, async () => {
      let [handovers, told] = [0, 0];
      for (let seed = 1; seed <= seeds; seed++) {
        const random = seeded(seed);
        vi.spyOn(Math, "random").mockImplementation(random);
        const world = new World(random, calm);
        try {
          for (let i = 0; i < steps; i++) await world.step();
          await world.rest();
          const { living } = world.browser;
          expect(world.open()).toHaveLength(living.length ? 1 : 0);
          for (const tab of living) world.witnesses.get(tab)?.atRest(world.lossy);
          expect(world.errors).toEqual([]);
          for (const { gaps } of world.witnesses.values()) {
            told += gaps.length;
            if (calm) expect(gaps).toEqual([]);
          }
        } catch (error) {
          throw new Error(`seed ${seed}: ${(error as Error).message}`, { cause: error });
        } finally {
          for (const tab of world.browser.living) tab.client.destroy();
        }
        handovers += world.handovers;
      }
      // The schedules must have been worth something.
      expect(handovers).toBeGreaterThan(seeds);
      if (!calm) expect(told).toBeGreaterThan(seeds);
    });
  }
});
