import type { Hello } from "./inbox.ts";
import type { StateBox } from "./state.ts";
import type { Cursor, Frame, Options, TokenReason, WebSocketConstructor, WebSocketLike } from "./types.ts";

/** How long a probe may go unanswered. */
const probeMs = 3_000;
/** A timer that is later than this was throttled or slept: the answer may wait behind it. */
const lateMs = 1_000;
/** What network and timers may add to the hub's heartbeat. */
const slackMs = 5_000;
/** Tokens that live for less than their warning must not be renewed in a circle. */
const renewMs = 10_000;
/** The hub's limit for a message, in bytes. */
export const maxMessage = 4096;

/** The socket of a client: dials, watches, dials again. */
export interface Link {
  /** Dials at once, instead of whatever is open or waits. reason: why, for the state. */
  open(reason?: string): void;
  /** Lets go of the socket and of every timer. What they still do goes nowhere. */
  drop(): void;
  /** Looks whether the socket is alive. dial: if the next attempt waits for its turn, it is now. */
  probe(dial: boolean): void;
  ping(): Promise<number>;
  send(data: string): boolean;
}

/** One attempt and the connection that it becomes. Whatever belongs to an earlier one is ignored. */
interface Run {
  readonly abort: AbortController;
  socket?: WebSocketLike;
  /** hub.hello came. */
  ready?: boolean;
  /** When the hub was heard last. */
  heard: number;
  /** When the token was fetched. */
  token: number;
  /** Who waits for a pong, the first first. */
  pings: { at: number; resolve(ms: number): void; reject(error: Error): void }[];
}

export function createLink(
  options: Options,
  state: StateBox,
  claim: () => Cursor | null,
  device: string | undefined,
  onFrame: (frame: Frame) => void,
  report: (error: unknown) => void,
): Link {
  const { connectTimeoutMs = 10_000, backoff: { minMs = 1_000, maxMs = 30_000, stableMs = 5_000 } = {} } = options;
  const timers: Record<string, ReturnType<typeof setTimeout>> = {};
  let run: Run | null = null;
  let asked: TokenReason = "connect";
  /** The hub said when to come back: nothing but reconnect() comes earlier. */
  let told = false;

  function cancel(name: string) {
    clearTimeout(timers[name]);
    delete timers[name];
  }

  function later(name: string, ms: number, fn: () => void) {
    cancel(name);
    timers[name] = setTimeout(
      () => {
        delete timers[name];
        fn();
      },
      Math.min(ms, 2 ** 31 - 1), // what is longer, an Infinity of the page's, would fire at once
    );
  }

  function drop() {
    for (const name in timers) cancel(name);
    const old = run;
    run = null;
    told = false;
    if (!old) return;
    old.abort.abort();
    for (const ping of old.pings) ping.reject(notConnected());
    const { socket } = old;
    if (!socket) return;
    socket.onmessage = socket.onclose = null; // onerror stays: ws throws what nobody listens to
    socket.close(1000);
  }

  function open(reason?: string) {
    drop();
    const mine: Run = { abort: new AbortController(), heard: 0, token: Date.now(), pings: [] };
    run = mine;
    const { phase } = state.now;
    state.set({
      phase: phase === "connected" ? "reconnecting" : phase === "closed" ? "connecting" : phase,
      ...(reason && { reason, code: undefined }),
      stale: true,
      retryAt: null,
    });
    if (run !== mine) return; // a listener has closed it
    later("open", connectTimeoutMs, () => retry("timeout"));
    dial(mine).catch((error) => run === mine && failed(error, retry));
  }

  async function dial(mine: Run) {
    const protocols = ["usercast.v1"];
    if (options.getToken) {
      const token = await options.getToken({ reason: asked, signal: mine.abort.signal });
      if (!token) throw new TypeError("usercast: getToken: no token");
      // A page can set no header on a WebSocket, and URLs end up in access logs.
      protocols.push(`usercast.bearer.${base64url(encoder.encode(token))}`);
    }
    const url = typeof options.url === "function" ? await options.url() : options.url;
    if (run !== mine) return;
    const Socket = options.WebSocket ?? (globalThis.WebSocket as WebSocketConstructor | undefined);
    if (!Socket) throw new TypeError("usercast: no WebSocket here: set options.WebSocket");
    const socket = new Socket(address(url, claim(), device), protocols);
    mine.socket = socket;
    socket.onmessage = (event) => run === mine && hear(mine, event.data);
    socket.onclose = (event) => run === mine && closed(mine, event.code, event.reason);
    socket.onerror = () => {}; // onclose follows and says what there is to say
  }

  function hear(mine: Run, data: unknown) {
    mine.heard = Date.now();
    if (data === "pong") {
      const ping = mine.pings.shift();
      ping?.resolve(mine.heard - ping.at);
      return;
    }
    try {
      frame(mine, JSON.parse(data as string));
    } catch (error) {
      report(error); // not the hub's, or not one of today's: one frame, not the connection
    }
  }

  function frame(mine: Run, f: Frame) {
    switch (f.type) {
      case "hub.hello":
        mine.ready = true;
        asked = "connect";
        cancel("open");
        listen(mine, (f.payload as Hello).heartbeatMs);
        state.set({ phase: "connected", reason: undefined, code: undefined });
        break;
      case "hub.live":
        later("stable", stableMs, () => state.set({ attempt: 0 }));
        state.set({ stale: false });
        break;
      case "hub.expiring":
        return renew(mine);
    }
    if (run === mine && mine.ready) onFrame(f);
  }

  function closed(mine: Run, code: number, words: string) {
    const reason = words || "lost";
    switch (code) {
      case 4403: // disconnected or revoked by the server
      case 4409: // the user's newer connections took the place
        return stop(reason, code);
      case 4401:
        asked = /expired/.test(words) ? "expired" : "refused";
        // Full jitter may mean at once, and a refused token is never asked about at once.
        return retry(reason, code, mine.ready ? 0 : minMs);
      case 1012:
        return retry(reason, code, 0, Number(/spreadMs=(\d+)/.exec(words)?.[1] ?? 0));
      default:
        retry(reason, code);
    }
  }

  /** Something of the page's own has failed. then: what to do unless it means to stop. */
  function failed(error: unknown, then: (message: string) => void) {
    const { name, message = String(error) } = (error ?? {}) as Error;
    if (name === "Unauthorized") return stop("unauthorized");
    report(error);
    then(message);
  }

  function stop(reason: string, code?: number) {
    drop();
    state.down("closed", 0, reason, code);
  }

  /** Dials again after a random part of the backoff or of the announced spread, whichever is longer. */
  function retry(reason: string, code?: number, least = 0, spread = 0) {
    drop();
    const { attempt } = state.now;
    const delay = least + Math.random() * Math.max(spread, Math.min(maxMs, minMs * 2 ** attempt));
    told = spread > 0;
    later("retry", delay, open);
    state.down("reconnecting", attempt + 1, reason, code, Date.now() + delay);
  }

  /** Watches for silence that is longer than the hub's heartbeat allows. */
  function listen(mine: Run, heartbeatMs: number) {
    const quiet = slackMs + Math.min(heartbeatMs || 25_000, 3_600_000);
    const wait = (ms: number) =>
      later("listen", ms, () => {
        const left = mine.heard + quiet - Date.now();
        // More than all of it: the clock was set back.
        if (left > 0 && left < quiet) return wait(left);
        probe(false);
        wait(quiet);
      });
    wait(quiet);
  }

  /**
   * A socket is not dead before it left a question unanswered: timers are throttled in
   * hidden pages and stand still in sleep, so that silence alone says nothing.
   */
  function probe(dial: boolean, again = false) {
    const mine = run;
    if (!mine?.ready) {
      if (dial && timers.retry && !told) open();
      return;
    }
    if (timers.probe) return;
    const at = Date.now();
    const wait = (ms: number) =>
      later("probe", ms, () => {
        // While something arrives, the answer stands in line behind it.
        const silent = Date.now() - Math.max(at, mine.heard);
        if (silent >= 0 && silent < probeMs) wait(probeMs - silent);
        else if (!again && (silent < 0 || silent > probeMs + lateMs)) probe(false, true);
        else open("unanswered");
      });
    wait(probeMs);
    // Only the answer counts, not what had arrived before a sleep and is read after it.
    ping().then(
      () => cancel("probe"),
      () => {},
    );
  }

  function ping(): Promise<number> {
    return new Promise((resolve, reject) => {
      const mine = run;
      if (!mine || !send("ping")) return reject(notConnected());
      mine.pings.push({ at: Date.now(), resolve, reject });
    });
  }

  function send(data: string) {
    if (!run?.ready || !run.socket || run.socket.readyState !== 1) return false;
    run.socket.send(data);
    return true;
  }

  /** Puts a new token in the place of one that ends within the minute. */
  function renew(mine: Run) {
    later("renew", Math.max(0, mine.token + renewMs - Date.now()), async () => {
      mine.token = Date.now();
      try {
        const token = await options.getToken?.({ reason: "expired", signal: mine.abort.signal });
        const message = JSON.stringify({ type: "hub.auth", payload: { token } });
        // What does not fit is renewed by the reconnect after 4401.
        if (run === mine && token !== undefined && bytes(message) <= maxMessage) send(message);
      } catch (error) {
        // Again in 10 s. When the token ends the hub closes, and that is handled.
        if (run === mine) failed(error, () => renew(mine));
      }
    });
  }

  return { open, drop, probe, ping, send };
}

const notConnected = () => new Error("usercast: not connected");

/** The length of a message as the hub counts it. */
export const bytes = (text: string) => encoder.encode(text).length;

const encoder = new TextEncoder();

export const base64url = (data: Uint8Array) =>
  btoa(String.fromCharCode(...data))
    .replaceAll("+", "-")
    .replaceAll("/", "_")
    .replaceAll("=", "");

function address(url: string | URL, cursor: Cursor | null, device: string | undefined): string {
  const u = new URL(url, globalThis.location?.href);
  u.protocol = u.protocol.replace("http", "ws");
  for (const [name, value] of Object.entries({ device, ...cursor })) if (value) u.searchParams.set(name, value);
  return u.href;
}
