import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { type Cursor, createClient, type WebSocketConstructor } from "../src/index.ts";
import { Conn, type Entry, Hub, type Random, seeded } from "./hub.ts";
import { FakeSocket, pass, settle } from "./kit.ts";
import { Witness } from "./oracle.ts";

// USERCAST_SEEDS=5000 npx vitest run test/property.test.ts
const seeds = Number(process.env.USERCAST_SEEDS ?? 150);
const steps = 120;

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

/** One page, one client, a hub and whatever a schedule does to them. */
class World {
  readonly hub: Hub;
  readonly kinds = new Map<number, Entry["kind"]>();
  readonly errors: unknown[] = [];
  readonly saved: (Cursor | null)[] = [];
  conns: Conn[] = [];
  witness: Witness;
  /** Hub-side gaps that a client could have been told of. */
  gaps = 0;
  lossy = false;

  constructor(private readonly random: Random) {
    this.hub = new Hub(6, random);
    for (let i = 0; i < 5; i++) this.publish();
    const world = this;
    class Socket extends FakeSocket {
      constructor(url: string, protocols?: string | string[]) {
        super(url, protocols);
        // A connection begins when the hub has the request, not when the page made it.
        setTimeout(() => world.accept(this), Math.floor(random() * 40));
      }
    }
    const client = createClient({
      url: "ws://hub.example/",
      WebSocket: Socket as unknown as WebSocketConstructor,
      getToken: () => {
        if (random() < 0.05) throw new Error("flaky token");
        return new Promise((resolve) => setTimeout(resolve, Math.floor(random() * 20), "t"));
      },
      initialCursor: random() < 0.7 ? this.hub.cursor() : null,
      cursor: { load: () => null, save: (c) => this.saved.push(c) },
      onError: (error) => this.errors.push(error),
    });
    this.witness = new Witness(client, this.hub, this.kinds);
    client.on("CHANGED", () => {
      if (random() < 0.1) throw new Error("a handler's");
    });
    client.connect();
  }

  get client() {
    return this.witness.client;
  }

  publish() {
    const { id, kind } = this.hub.publish();
    this.kinds.set(id, kind);
  }

  accept(socket: FakeSocket) {
    if (socket.readyState !== 1) return;
    if (this.random() < 0.1) return socket.end(this.random() < 0.5 ? 4401 : 4429, "token invalid");
    const conn = new Conn(this.hub, socket);
    const next = conn.next.bind(conn);
    conn.next = () => {
      const frame = next();
      const { reason, verdict } = (frame?.payload ?? {}) as Record<string, unknown>;
      if (frame?.type === "hub.hello") {
        this.witness.start ??= this.hub.cursor();
        if (verdict === "gap") this.gaps++;
      } else if (frame?.type === "hub.gap" && reason === "lagged") {
        this.gaps++;
        this.lossy = true;
      }
      return frame;
    };
    this.conns.push(conn);
  }

  /** Connections of which the client still holds the other end. */
  open() {
    this.conns = this.conns.filter((c) => c.socket.readyState === 1 && c.hub === this.hub);
    return this.conns;
  }

  async step() {
    const { random } = this;
    const pick = random();
    const conn = this.open().at(-1);
    if (pick < 0.45) this.publish();
    else if (pick < 0.72) conn?.pump(1 + Math.floor(random() * 6));
    else if (pick < 0.8) conn?.socket.end(random() < 0.5 ? 1006 : 1001);
    else if (pick < 0.82) {
      for (const c of this.open()) c.socket.end(1012, "restarting; spreadMs=3000");
      this.hub.restart();
    } else if (pick < 0.84) this.client.reconnect();
    else if (pick < 0.86) {
      this.client.close();
      this.client.connect();
    } else if (pick < 0.88) (random() < 0.5 ? this.hub.user : this.hub.everyone).evict();
    else if (pick < 0.9) conn?.beat();
    else if (pick < 0.92)
      await pass(40_000); // silence: the probe goes unanswered
    else await pass(Math.floor(random() * 2_000));
    await settle();
  }

  /** Lets everything arrive. */
  async rest() {
    for (let i = 0; i < 200; i++) {
      await pass(1_000);
      for (const conn of this.open()) {
        conn.pump();
        for (let n = conn.socket.pings; n > 0; n--) conn.socket.pong();
      }
      if (this.client.state.phase === "connected" && !this.client.state.stale) break;
    }
    for (const conn of this.open()) conn.beat();
  }
}

describe("a page, through whatever happens to its connection", () => {
  it(`hears every event once and in order, or of a gap: ${seeds} schedules`, async () => {
    const total = { gaps: 0, told: 0 };
    for (let seed = 1; seed <= seeds; seed++) {
      const random = seeded(seed);
      vi.spyOn(Math, "random").mockImplementation(random);
      const world = new World(random);
      try {
        for (let i = 0; i < steps; i++) await world.step();
        await world.rest();
        world.witness.atRest(world.lossy);
        for (const error of world.errors) expect(String(error)).toMatch(/a handler's|flaky token/);
        // No false gap: each told one stands for at least one of the hub's.
        expect(world.witness.gaps.length).toBeLessThanOrEqual(world.gaps);
        expect(world.saved.at(-1)).toEqual(world.client.cursor);
      } catch (error) {
        throw new Error(`seed ${seed}: ${(error as Error).message}`, { cause: error });
      } finally {
        world.client.destroy();
      }
      total.gaps += world.gaps;
      total.told += world.witness.gaps.length;
    }
    // The schedules must have been worth something.
    expect(total.told).toBeGreaterThan(seeds / 2);
    expect(total.gaps).toBeGreaterThanOrEqual(total.told);
  });
});
