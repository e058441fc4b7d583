// What the core's tests share: a WebSocket whose every event the test controls, and
// frames as the hub sends them.

import { vi } from "vitest";
import {
  type Cursor,
  createClient,
  type EventMap,
  type Frame,
  type Options,
  type WebSocketConstructor,
} from "../src/index.ts";

/** A socket that does nothing by itself. */
export class FakeSocket {
  readyState = 1;
  onmessage: ((event: { data: unknown }) => void) | null = null;
  onclose: ((event: { code: number; reason: string }) => void) | null = null;
  onerror: ((event: unknown) => void) | null = null;
  readonly sent: string[] = [];
  /** The code with which the client closed it; undefined: it has not. */
  closedWith: number | undefined;
  readonly url: URL;
  readonly protocols: string[];
  /** What the client had set before it let go. */
  private late: Pick<FakeSocket, "onmessage" | "onclose"> | undefined;

  constructor(url: string, protocols: string | string[] = []) {
    this.url = new URL(url);
    this.protocols = [protocols].flat();
  }

  send(data: string) {
    this.sent.push(data);
  }

  close(code = 1005) {
    this.closedWith ??= code;
    this.readyState = 3;
  }

  /** Keeps the handlers as they are now: events of a stale socket can be fired through them. */
  remember() {
    this.late = { onmessage: this.onmessage, onclose: this.onclose };
  }

  /** Fires what was remembered, whatever the client has taken off since. */
  fireLate(frame: Frame) {
    this.late?.onmessage?.({ data: JSON.stringify(frame) });
  }
  fireLateClose(code: number, reason = "") {
    this.late?.onclose?.({ code, reason });
  }

  text(data: unknown) {
    this.onmessage?.({ data });
  }
  frame(frame: Frame) {
    this.text(JSON.stringify(frame));
  }
  pong() {
    this.text("pong");
  }
  /** Ends it from the other side. */
  end(code = 1006, reason = "") {
    this.readyState = 3;
    this.onclose?.({ code, reason });
  }
  /** hub.hello. Without a verdict it is "resumed" if the client named a cursor, else "fresh". */
  hello(
    at: number,
    o: { epoch?: string; verdict?: string; reason?: string; global?: number; heartbeatMs?: number } = {},
  ) {
    const { epoch = "e1", reason = "", global = 0, heartbeatMs = 25_000 } = o;
    const verdict = o.verdict ?? (this.url.searchParams.get("lastEventTs") ? "resumed" : "fresh");
    this.frame({
      type: "hub.hello",
      payload: {
        connectionId: "c",
        device: "",
        epoch,
        verdict,
        reason,
        globalTimestamp: ts(global),
        heartbeatMs,
        bufferSize: 200,
        bufferTtlMs: 300_000,
      },
      timestamp: ts(at),
    });
  }
  live(at: number) {
    this.frame({ type: "hub.live", payload: null, timestamp: ts(at) });
  }
  /** hello and live. */
  up(at = 0, o: Parameters<FakeSocket["hello"]>[1] = {}) {
    this.hello(at, o);
    this.live(at);
  }
  event(type: string, at: number, payload: unknown = at, extra: Partial<Frame> = {}) {
    this.frame({ type, payload, timestamp: ts(at), ...extra });
  }
  get query() {
    return Object.fromEntries(this.url.searchParams);
  }
  get token() {
    const bearer = this.protocols[1]?.replace("usercast.bearer.", "");
    return bearer === undefined ? undefined : Buffer.from(bearer, "base64url").toString();
  }
  get pings() {
    return this.sent.filter((s) => s === "ping").length;
  }
}

/** A timestamp of the hub's, n µs after some moment. */
export const ts = (n: number) =>
  `${new Date(1_700_000_000_000 + Math.floor(n / 1000)).toISOString().slice(0, 23)}${String(n % 1000).padStart(3, "0")}Z`;

export const cursor = (at: number, global = 0, epoch = "e1"): Cursor => ({
  epoch,
  lastEventTs: ts(at),
  lastGlobalTs: ts(global),
});

/** A client with fake sockets, and what it did. */
export function bench<M extends object = EventMap>(options: Partial<Options> = {}) {
  const sockets: FakeSocket[] = [];
  const errors: unknown[] = [];
  class Socket extends FakeSocket {
    constructor(url: string, protocols?: string | string[]) {
      super(url, protocols);
      sockets.push(this);
    }
  }
  const client = createClient<M>({
    url: "wss://hub.example/ws",
    WebSocket: Socket as unknown as WebSocketConstructor,
    onError: (error) => errors.push(error),
    ...options,
  });
  return {
    client,
    sockets,
    errors,
    /** The newest socket. */
    get socket() {
      const socket = sockets.at(-1);
      if (!socket) throw new Error("no socket was opened");
      return socket;
    },
    /** Connects and waits for the socket. */
    async dial() {
      client.connect();
      await settle();
      return this.socket;
    },
  };
}

/** Lets promises settle and due timers fire. */
export const settle = () => vi.advanceTimersByTimeAsync(0);
export const pass = (ms: number) => vi.advanceTimersByTimeAsync(ms);

/** Makes Math.random say what the test wants. 1 stands for the most that there can be. */
export const random = (value: number) => vi.spyOn(Math, "random").mockReturnValue(value);
