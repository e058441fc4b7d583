// A device's connection to the hub: it reconnects, resumes where it stopped, and
// says so when something is missing. For more (types, React, one socket for all
// tabs) there is the package @usercast/client; this is the protocol in one file.

const MIN_DELAY = 1_000; // ms; doubles with each attempt
const MAX_DELAY = 30_000;
const STABLE = 5_000; // connected for so long, the next delay is short again
const OPEN_TIMEOUT = 10_000; // from the token to hub.hello
const PROBE_TIMEOUT = 10_000; // from "ping" to whatever comes

// Close codes that are not simply "retry".
const RESTARTING = 1012;
const UNAUTHORIZED = 4401;
const REVOKED = 4403;
const REPLACED = 4409;

export class Device {
  /** Where this device is in its user's events: {epoch, lastEventTs, lastGlobalTs}. */
  cursor = null;

  /**
   * What a page may show. phase is one of idle (cut by the page), connecting,
   * connected, reconnecting (retryAt says when) and closed (by the server, for
   * good). verdict and reason are those of the last connect; live says whether
   * all that was missed has come, replayed how much of it was events.
   */
  state = { phase: "idle", detail: "", retryAt: 0, verdict: "", reason: "", live: false, replayed: 0 };

  #options;
  #socket = null;
  #run = 0; // counts attempts: what belongs to an earlier one is ignored
  #attempt = 0; // failures in a row
  #refused = false; // the last token was
  #timers = {};
  #heard = 0;

  /**
   * @param options.url       ws:// or wss:// address of the hub
   * @param options.id        names the device for ?device= and X-Device
   * @param options.getToken  async ({fresh}) => token; fresh: the last one was refused or is about to end
   * @param options.onEvent   (event, {replayed}): each event once, in order
   * @param options.onGap     (reason): events were missed, fetch the state anew
   * @param options.onState   (state): it changed
   */
  constructor(options) {
    this.#options = options;
    for (const [target, type] of [[window, "online"], [window, "pageshow"], [document, "visibilitychange"]]) {
      target.addEventListener(type, this.#wake);
    }
  }

  /** Connects, and from then on reconnects by itself. */
  connect() {
    if (this.state.phase !== "idle" && this.state.phase !== "closed") return;
    this.#attempt = 0;
    this.#open();
  }

  /** Cuts the connection; only connect() brings it back. The cursor stays. */
  close() {
    this.#drop();
    this.#set({ phase: "idle", detail: "", retryAt: 0 });
  }

  /** Closes for good: a logout. */
  destroy() {
    this.#options.onState = this.#options.onEvent = this.#options.onGap = () => {};
    this.close();
    this.cursor = null;
    for (const [target, type] of [[window, "online"], [window, "pageshow"], [document, "visibilitychange"]]) {
      target.removeEventListener(type, this.#wake);
    }
  }

  async #open() {
    this.#drop();
    const run = this.#run;
    const current = () => run === this.#run;
    this.#set({ phase: this.state.verdict ? "reconnecting" : "connecting", detail: "connecting", retryAt: 0 });
    this.#later("open", OPEN_TIMEOUT, () => this.#retry("no answer"));
    try {
      const token = await this.#options.getToken({ fresh: this.#refused });
      if (!current()) return;
      // A page cannot set a header on a WebSocket, and a token in the URL would
      // end up in access logs. So it travels as a subprotocol.
      const socket = new WebSocket(this.#address(), ["usercast.v1", `usercast.bearer.${base64url(token)}`]);
      socket.onmessage = ({ data }) => current() && this.#receive(data);
      socket.onclose = (event) => current() && this.#closed(event);
      this.#socket = socket;
    } catch (error) {
      if (current()) this.#retry(error.message);
    }
  }

  #address() {
    const url = new URL(this.#options.url);
    url.search = new URLSearchParams({ device: this.#options.id, ...this.cursor });
    return url.href;
  }

  #receive(data) {
    this.#heard = performance.now();
    this.#cancel("probe");
    if (data === "pong") return;
    const event = JSON.parse(data);
    switch (event.type) {
      case "hub.hello":
        return this.#hello(event);
      case "hub.gap": // the hub goes on from the gap's own timestamp, be it earlier
        this.cursor[scopeOf(event)] = event.timestamp;
        if (event.payload.reason !== this.state.reason) this.#options.onGap(event.payload.reason);
        return; // else hello's verdict has said so
      case "hub.expiring":
        return this.#renew();
      case "hub.live":
        this.#set({ live: true });
    }
    const scope = scopeOf(event);
    if (event.timestamp <= this.cursor[scope]) return; // seen; fixed width, so strings compare
    this.cursor[scope] = event.timestamp;
    if (event.type.startsWith("hub.")) return;
    const replayed = !this.state.live;
    if (replayed && !event.class) this.#set({ replayed: this.state.replayed + 1 });
    this.#options.onEvent(event, { replayed });
  }

  #hello({ timestamp, payload }) {
    this.#cancel("open");
    this.#refused = false;
    this.cursor = { epoch: payload.epoch, lastEventTs: timestamp, lastGlobalTs: payload.globalTimestamp };
    this.#later("stable", STABLE, () => (this.#attempt = 0));
    this.#listen(payload.heartbeatMs);
    const { verdict, reason } = payload;
    this.#set({ phase: "connected", detail: "", verdict, reason, live: false, replayed: 0 });
    // Here and not at hub.gap: the connection may end between the two.
    if (verdict === "gap") this.#options.onGap(reason);
  }

  async #renew() {
    const run = this.#run;
    try {
      const token = await this.#options.getToken({ fresh: true });
      if (run === this.#run) this.#socket.send(JSON.stringify({ type: "hub.auth", payload: { token } }));
    } catch {
      // Then the hub closes with 4401 in a minute, and that is handled.
    }
  }

  #closed({ code, reason }) {
    switch (code) {
      case REVOKED:
      case REPLACED:
        this.#drop();
        return this.#set({ phase: "closed", detail: `${code} ${reason}` });
      case RESTARTING: { // all devices hear it at once, and must not all come back at once
        const spread = Number(/spreadMs=(\d+)/.exec(reason)?.[1] ?? 1000);
        return this.#retry(`${code} ${reason}`, Math.random() * Math.min(spread, 60_000));
      }
      case UNAUTHORIZED:
        this.#refused = true;
    }
    this.#retry(`${code} ${reason || "connection lost"}`);
  }

  /** Tries again after a random part of the backoff, but not before atLeast ms. */
  #retry(why, atLeast = 0) {
    this.#drop();
    const delay = Math.max(atLeast, Math.random() * Math.min(MAX_DELAY, MIN_DELAY * 2 ** this.#attempt++));
    this.#set({ phase: "reconnecting", detail: why, retryAt: Date.now() + delay });
    this.#later("retry", delay, () => this.#open());
  }

  /** Forgets the socket and every timer. What they still do is ignored. */
  #drop() {
    this.#run++;
    this.#socket?.close();
    this.#socket = null;
    for (const name in this.#timers) this.#cancel(name);
  }

  /** Asks the hub when it has been silent for longer than its heartbeat allows. */
  #listen(heartbeat) {
    this.#later("listen", heartbeat, () => {
      if (performance.now() - this.#heard > 1.5 * heartbeat) this.#probe();
      this.#listen(heartbeat);
    });
  }

  /** A silent socket is not dead before it left a question unanswered: timers lie in hidden tabs. */
  #probe() {
    if (this.#timers.probe) return;
    this.#socket.send("ping");
    this.#later("probe", PROBE_TIMEOUT, () => this.#retry("no answer to a ping"));
  }

  /** The computer woke up or the network is back: look at once. */
  #wake = () => {
    if (document.hidden) return;
    if (this.state.phase === "connected") this.#probe();
    else if (this.#timers.retry) this.#open();
  };

  #later(name, ms, fn) {
    this.#cancel(name);
    this.#timers[name] = setTimeout(() => {
      delete this.#timers[name];
      fn();
    }, ms);
  }

  #cancel(name) {
    clearTimeout(this.#timers[name]);
    delete this.#timers[name];
  }

  #set(change) {
    this.state = { ...this.state, ...change };
    this.#options.onState(this.state);
  }
}

/** Timestamps of events to everyone are compared among themselves. */
const scopeOf = (event) => (event.scope === "all" ? "lastGlobalTs" : "lastEventTs");

const base64url = (s) => btoa(s).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
