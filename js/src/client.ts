import { createGuard, createListeners, matching } from "./handlers.ts";
import { createInbox } from "./inbox.ts";
import { bytes, createLink, maxMessage } from "./link.ts";
import { createState } from "./state.ts";
import type { Client, Cursor, EventMap, Frame, Gap, Handler, Membership, Meta, Options, Unsubscribe } from "./types.ts";
import { onWake } from "./wake.ts";

const nothing: Unsubscribe = () => {};

/**
 * Makes a client. It opens nothing before `connect` or `retain`, and may be made on a
 * server, where there is no WebSocket.
 *
 *     const client = createClient<Events>({ url: "/ws", getToken: () => fetchToken() });
 *     client.on("PENDING_CREATED", ({ orderIds }) => { … });
 *     client.onGap(() => refetch());
 *     client.connect();
 */
export function createClient<M extends object = EventMap>(options: Options): Client<M> {
  const deviceId = options.deviceId ?? randomId();
  if (!/^[\w-]{1,64}$/.test(deviceId)) throw new TypeError("usercast: options.deviceId: 1 to 64 of A-Z a-z 0-9 _ -");

  const [guard, report] = createGuard(options.onError);
  const handlers = createListeners<[unknown, Meta]>(guard);
  const gaps = createListeners<[Gap]>(guard);
  const watchers = createListeners<[]>(guard);
  /** Those who wait for an event, to be told that none will come. */
  const waiting = new Set<(error: unknown) => void>();
  let member: Membership | undefined;
  let unwatch = nothing;
  let retained = 0;
  /** connect() was called, and close() was not. */
  let wanted = false;
  let destroyed = false;

  const state = createState(watchers, (now) => member?.tell(now));
  const inbox = createInbox(options, guard, report, handlers.call, (gap) => {
    guard(options.onGap, gap);
    gaps.call(gap);
  });
  let claim = inbox.cursor;
  // A socket that is shared is no tab's own: the hub must not leave one tab's events out for all.
  const device = options.share ? undefined : deviceId;
  const link = createLink(
    options,
    state,
    () => claim(),
    device,
    (frame) => {
      member?.pass(frame);
      inbox.receive(frame);
    },
    report,
  );

  function receive(frame: Frame) {
    guard(inbox.receive, frame);
  }

  member = options.share?.({
    cursor: inbox.cursor,
    adopt: inbox.adopt,
    values: inbox.values.latest,
    get state() {
      return state.now;
    },
    lead(from) {
      claim = from;
      link.open();
    },
    rest: link.drop,
    receive,
    follow: state.set,
    send: link.send,
    probe: link.probe,
    ping: link.ping,
  });
  const active = member ?? link;

  function start() {
    const { phase } = state.now;
    if (destroyed || (phase !== "idle" && phase !== "closed")) return;
    unwatch();
    unwatch = onWake((dial) => active.probe(dial));
    state.set({ phase: "connecting", attempt: 0, retryAt: null, reason: undefined, code: undefined });
    if (member) member.join();
    else link.open();
  }

  function stop() {
    wanted = false;
    unwatch();
    unwatch = nothing;
    member?.leave();
    link.drop();
    state.set({ phase: "idle", attempt: 0, retryAt: null, stale: true, reason: undefined, code: undefined });
  }

  const on = (pattern: string, fn: Handler): Unsubscribe => (destroyed ? nothing : handlers.add(matching(pattern, fn)));

  return {
    connect() {
      wanted = true;
      start();
    },
    close: () => {
      if (!destroyed) stop();
    },
    reconnect() {
      const { phase } = state.now;
      wanted = true;
      if (phase === "idle" || phase === "closed") start();
      else if (member) member.reconnect();
      else link.open();
    },
    destroy() {
      if (destroyed) return;
      stop();
      destroyed = true;
      handlers.clear();
      gaps.clear();
      inbox.destroy();
      for (const reject of [...waiting]) reject(new Error("usercast: the client was destroyed"));
      state.set({ phase: "closed", reason: "destroyed" });
      watchers.clear();
    },
    retain() {
      if (retained++ === 0 && state.now.phase === "idle") start();
      let held = true;
      return () => {
        if (!held) return;
        held = false;
        setTimeout(() => {
          if (--retained === 0 && !wanted && !destroyed && state.now.phase !== "closed") stop();
        });
      };
    },

    get state() {
      return state.now;
    },
    subscribeState: (fn) => (destroyed ? nothing : watchers.add(fn)),

    on,
    once: (type, { signal } = {}) =>
      new Promise((resolve, reject) => {
        if (signal?.aborted) return reject(signal.reason);
        if (destroyed) return reject(new Error("usercast: the client was destroyed"));
        const end = () => {
          off();
          waiting.delete(refuse);
          signal?.removeEventListener("abort", abort);
        };
        const refuse = (error: unknown) => {
          end();
          reject(error);
        };
        const abort = () => refuse(signal?.reason);
        const off = on(type, (payload) => {
          end();
          resolve(payload as never);
        });
        waiting.add(refuse);
        signal?.addEventListener("abort", abort);
      }),
    latest: (type, key) => inbox.values.get(type, key)?.payload as never,
    onGap: (fn) => (destroyed ? nothing : gaps.add(fn)),

    send(message) {
      const data = typeof message === "string" ? message : JSON.stringify(message);
      const size = bytes(data);
      if (size > maxMessage) throw new RangeError(`usercast: send: ${size} bytes, the hub takes ${maxMessage}`);
      return active.send(data);
    },
    ping: active.ping,

    get cursor(): Cursor | null {
      return inbox.cursor();
    },
    deviceId,
  };
}

/** 96 random bits. */
function randomId(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(12)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
