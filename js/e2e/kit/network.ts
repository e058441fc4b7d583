import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";

/** A connection through the proxy: the browser's side and the hub's. */
interface Pipe {
  browser: Socket;
  hub: Socket;
  muted: boolean;
  stalled: boolean;
  /** Bytes to the browser after which it is cut. */
  left: number;
}

export type Cut = "reset" | "end";

/**
 * A network that can fail, between the browser and the hub. Browsers have no switch for
 * that: their "offline" leaves WebSockets open.
 */
export class Network {
  /** How many connections have been made through it. */
  accepted = 0;
  /** How many of them it has broken. */
  broken = 0;
  /** New connections are dropped at once, as by a network that is gone. */
  refusing = false;
  readonly #plans: { mute?: boolean; cutAfter?: number }[] = [];
  readonly #pipes = new Set<Pipe>();
  readonly #server: Server;
  readonly #target: () => number;

  /** Where connections go: asked for each, for a hub that restarts may come back elsewhere. */
  constructor(target: () => number) {
    this.#target = target;
    this.#server = createServer((browser) => this.#accept(browser));
  }

  listen(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#server.once("error", reject);
      this.#server.listen(0, "127.0.0.1", resolve);
    });
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** Connections that are open, muted ones too. */
  get open(): number {
    return this.#pipes.size;
  }

  /** Breaks every connection: by a reset, or by an end of the stream that no close frame announced. */
  cut(how: Cut = "reset"): void {
    for (const pipe of this.#pipes) this.#break(pipe, how);
  }

  /** What the next connection suffers that has no fate yet: muted from the start, or cut after any byte to the browser. */
  plan(fate: { mute?: boolean; cutAfter?: number }): void {
    this.#plans.push(fate);
  }

  /** Swallows what both sides send on the connections that are open, and does not tell either that the other has gone. */
  mute(): void {
    for (const pipe of this.#pipes) pipe.muted = true;
  }

  /** Takes nothing more from either side, so that their buffers fill. */
  stall(): void {
    for (const pipe of this.#pipes) {
      pipe.stalled = true;
      pipe.browser.pause();
      pipe.hub.pause();
    }
  }

  /** Ends a stall. */
  flow(): void {
    for (const pipe of this.#pipes) {
      pipe.stalled = false;
      pipe.browser.resume();
      pipe.hub.resume();
    }
  }

  close(): Promise<void> {
    this.refusing = true;
    this.cut();
    return new Promise((resolve) => this.#server.close(() => resolve()));
  }

  #accept(browser: Socket) {
    browser.on("error", () => {}); // "close" follows
    if (this.refusing) {
      browser.resetAndDestroy();
      return;
    }
    this.accepted++;
    const { mute = false, cutAfter = Number.POSITIVE_INFINITY } = this.#plans.shift() ?? {};
    const hub = connect(this.#target(), "127.0.0.1");
    const pipe: Pipe = { browser, hub, muted: mute, stalled: false, left: cutAfter };
    this.#pipes.add(pipe);
    browser.setNoDelay();
    hub.setNoDelay();
    hub.on("error", () => {});
    browser.on("data", (data) => pipe.muted || forward(pipe, data, browser, hub));
    hub.on("data", (data) => pipe.muted || this.#down(pipe, data));
    browser.on("close", () => this.#over(pipe, hub));
    hub.on("close", () => this.#over(pipe, browser));
  }

  #down(pipe: Pipe, data: Buffer) {
    if (data.length < pipe.left) {
      pipe.left -= data.length;
      forward(pipe, data, pipe.hub, pipe.browser);
      return;
    }
    // The part that was let through must leave before the end does: a reset would take it back.
    const part = data.subarray(0, pipe.left);
    pipe.muted = true;
    pipe.browser.write(part, () => this.#break(pipe, "end"));
  }

  #break(pipe: Pipe, how: Cut) {
    if (this.#pipes.delete(pipe)) this.broken++;
    for (const socket of [pipe.browser, pipe.hub]) {
      if (how === "reset") socket.resetAndDestroy();
      else socket.destroy();
    }
  }

  /** One side has gone: the other must hear of it, unless the network between them is mute. */
  #over(pipe: Pipe, other: Socket) {
    if (pipe.muted) return;
    this.#pipes.delete(pipe);
    other.destroySoon();
  }
}

/** Writes what came from one side to the other, no faster than that one takes it. */
function forward(pipe: Pipe, data: Buffer, from: Socket, to: Socket) {
  if (to.destroyed || to.write(data)) return;
  from.pause();
  to.once("drain", () => pipe.stalled || from.resume());
}
