import { createGuard, createListeners, matching } from "./handlers.ts";
import { createInbox } from "./inbox.ts";
import { base64url, bytes, createLink, maxMessage } from "./link.ts";
import { createState } from "./state.ts";
import type { Client, Cursor, EventMap, Gap, Handler, Membership, Meta, Options, Unsubscribe } from "./types.ts";
import { onWake } from "./wake.ts";

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
  const deviceId = options.deviceId ?? base64url(crypto.getRandomValues(new Uint8Array(12)));
  if (!/^[\w-]{1,64}$/.test(deviceId)) throw new TypeError("usercast: options.deviceId: 1 to 64 of A-Za-z0-9_-");

  const [guard, report] = createGuard(options.onError);
  const handlers = createListeners<[unknown, Meta]>(guard);
  const gaps = createListeners<[Gap]>(guard);
  if (options.onGap) gaps.add(options.onGap);
  const watchers = createListeners<[]>(guard);
  /** Aborted by destroy. */
  const life = new AbortController();
  let member: Membership | undefined;
  let unwatch: Unsubscribe | undefined;
  let retained = 0;
  /** connect() was called, and close() was not. */
  let wanted = false;

  const state = createState(watchers, (now) => member?.tell(now));
  const inbox = createInbox(options, guard, report, handlers.call, gaps.call);
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

  member = options.share?.({
    ...inbox,
    ...link,
    state,
    lead(from) {
      claim = from;
      link.open();
    },
  });
  const active = member ?? { ...link, join: link.open, reconnect: link.open, leave: link.drop };

  /** Returns true if the client was started before. */
  function start() {
    if (life.signal.aborted) return false;
    const { phase } = state.now;
    if (phase !== "idle" && phase !== "closed") return true;
    unwatch?.();
    unwatch = onWake(active.probe);
    state.down("connecting");
    if (state.now.phase === "connecting") active.join(); // else a listener has closed it
    return false;
  }

  function stop() {
    if (life.signal.aborted) return;
    wanted = false;
    unwatch?.();
    active.leave();
    state.down("idle");
  }

  const on = (pattern: string, fn: Handler) => handlers.add(matching(pattern, fn));

  return {
    connect() {
      wanted = true;
      start();
    },
    close: stop,
    reconnect() {
      wanted = true;
      if (start()) active.reconnect();
    },
    destroy() {
      if (life.signal.aborted) return;
      stop();
      handlers.close();
      gaps.close();
      inbox.destroy();
      life.abort(new Error("usercast: the client was destroyed"));
      state.down("closed", 0, "destroyed");
      watchers.close();
    },
    retain() {
      if (retained++ === 0 && state.now.phase === "idle") start();
      let held = true;
      return () => {
        if (!held) return;
        held = false;
        setTimeout(() => {
          if (--retained === 0 && !wanted && state.now.phase !== "closed") stop();
        });
      };
    },

    get state() {
      return state.now;
    },
    subscribeState: watchers.add,

    on,
    once: (type, { signal } = {}) =>
      new Promise((resolve, reject) => {
        const done = new AbortController();
        const end = (error?: unknown) => {
          off();
          done.abort(); // the listeners below
          reject(error); // of no effect after resolve
        };
        const off = on(type, (payload) => {
          resolve(payload as never);
          end();
        });
        for (const ender of [signal, life.signal]) {
          if (ender?.aborted) end(ender.reason);
          ender?.addEventListener("abort", () => end(ender.reason), done);
        }
      }),
    latest: (type, key) => inbox.values.get(type, key)?.payload as never,
    onGap: gaps.add,

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
