/**
 * Everything public of the client, in one page.
 *
 * `M` maps event types to their payloads:
 *
 *     interface Events {
 *       PENDING_CREATED: { orderIds: string[]; count: number };
 *       JOB_PROGRESS: { jobId: string; progress: number };
 *     }
 *     const client = createClient<Events>({ url: "/ws", getToken });
 */
export type EventMap = Record<string, unknown>;

/** What came with an event besides its payload. */
export interface Meta {
  readonly type: string;
  /** RFC 3339 in UTC with six digits; strictly increasing per scope, so strings compare. Also the event's identity. */
  readonly timestamp: string;
  /** The event came before `hub.live`: it happened while this device was away, or just now. */
  readonly replayed: boolean;
  /** Class "transient": the hub keeps nothing of it and never replays it. */
  readonly transient: boolean;
  /** Class "latest": the newest value of its key, which a reconnect brings again. */
  readonly latest: boolean;
  /** Names the thing whose newest value this is, "job:42". Buffered events may have one too: it ends the value. */
  readonly key?: string | undefined;
  /** "all": from BroadcastAll. Its timestamps are compared among themselves. */
  readonly scope: "user" | "all";
}

/**
 * - `idle`: nobody wants a connection: before `connect`, after `close`.
 * - `connecting`: the first attempt is under way.
 * - `connected`: `hub.hello` came. What was missed may still be coming: see `stale`.
 * - `reconnecting`: lost; the next attempt is under way, or waits until `retryAt`.
 * - `closed`: for good (4403, 4409, `Unauthorized`, `destroy`). Only `connect` and `reconnect` end it.
 */
export type Phase = "idle" | "connecting" | "connected" | "reconnecting" | "closed";

/** A frozen snapshot: the same reference until something changes, as useSyncExternalStore wants it. */
export interface ConnectionState {
  readonly phase: Phase;
  /** Attempts that failed in a row. 0 again after `hub.live` and 5 s up. */
  readonly attempt: number;
  /** When the next attempt begins (ms since the epoch); null if none waits. */
  readonly retryAt: number | null;
  /** What a page shows may be behind. False only from `hub.live` until the connection is lost. */
  readonly stale: boolean;
  /**
   * Why the connection was lost or closed: the hub's words, an error's message, or `lost`,
   * `timeout` (10 s without `hub.hello`), `unanswered` (a probe), `unauthorized` (by getToken),
   * `destroyed`. Absent while connected.
   */
  readonly reason?: string | undefined;
  /** The close code that ended the last connection; absent while connected, and if none came. */
  readonly code?: number | undefined;
}

/** Where a device is in its events. `hub.Cursor(userID)` renders one into a page. */
export interface Cursor {
  readonly epoch: string;
  readonly lastEventTs: string;
  readonly lastGlobalTs?: string;
}

/** Where the cursor is kept. `save` is called at every event. A store that throws is reported and not asked again. */
export interface CursorStore {
  load(): Cursor | null;
  /** null: forget it. */
  save(cursor: Cursor | null): void;
}

/** Events are missing: fetch your state again. */
export interface Gap {
  /** `evicted`, `expired`, `restarted`, `unknown_cursor` or `lagged`. */
  readonly reason: string;
  /** Where this device had got to before. */
  readonly from: Cursor | null;
}

/**
 * Why a token is asked for: for a first or another attempt; because the last one has
 * ended or is about to; because the hub refused it. After `expired` and `refused` a
 * cached token is of no use.
 */
export type TokenReason = "connect" | "expired" | "refused";

export interface TokenContext {
  readonly reason: TokenReason;
  /** Aborted when nobody waits for the token any more. */
  readonly signal: AbortSignal;
}

export interface Backoff {
  /** The first delay is a random part of this. Default 1,000. */
  minMs?: number;
  /** Delays double up to this. Default 30,000. */
  maxMs?: number;
  /** Connected for so long after `hub.live`, the next delay is short again. Default 5,000. */
  stableMs?: number;
}

/** Any WebSocket that behaves like the browser's: its own, Node's, the `ws` package's. */
export type WebSocketConstructor = new (url: string, protocols?: string | string[]) => WebSocketLike;

/** The part of a WebSocket that the client uses. */
export interface WebSocketLike {
  readonly readyState: number;
  // biome-ignore lint/suspicious/noExplicitAny: the DOM's, Node's and ws's event types have no common supertype
  onmessage: ((event: any) => void) | null;
  // biome-ignore lint/suspicious/noExplicitAny: see above
  onclose: ((event: any) => void) | null;
  // biome-ignore lint/suspicious/noExplicitAny: see above
  onerror: ((event: any) => void) | null;
  send(data: string): void;
  close(code?: number, reason?: string): void;
}

export interface Options {
  /** `wss://…`, `https://…` or, in a browser, a path. Its query is kept. A function is asked before each attempt. */
  url: string | URL | (() => string | URL | Promise<string | URL>);
  /**
   * Returns the token, which travels as a subprotocol, never in the URL. A rejection is
   * retried with backoff; throw `Unauthorized` to stop. Without it the hub must know the
   * user by a cookie.
   */
  getToken?(context: TokenContext): string | Promise<string>;
  backoff?: Backoff;
  /** From the call of `getToken` to `hub.hello`. Default 10,000. */
  connectTimeoutMs?: number;
  /** Default: none, so that it lives as long as the client. `sessionCursor(user)` survives a reload. */
  cursor?: CursorStore;
  /** The cursor that the page's data was rendered with. It goes before the store's. */
  initialCursor?: Cursor | null;
  /** Names this page for `Event.Except`: at most 64 of `A-Za-z0-9_-`. Default: random. */
  deviceId?: string;
  /** One socket for all tabs of a user: `shareTabs({ user })` from "@usercast/client/tabs". */
  share?: Share;
  /** Default: the global one, looked up when it is needed. */
  WebSocket?: WebSocketConstructor;
  /** See `Client.onGap`. */
  onGap?(gap: Gap): void;
  /** Hears errors of handlers, `getToken`, `url`, cursor stores, and frames that make no sense. Default: console.error. */
  onError?(error: unknown): void;
}

/** Undoes what returned it. May be called more than once. */
export type Unsubscribe = () => void;

export type Handler<P = unknown> = (payload: P, meta: Meta) => unknown;

export interface Client<M extends object = EventMap> {
  /** Connects, and from then on reconnects by itself. Does nothing if that is so already. */
  connect(): void;
  /** Disconnects; nothing but `connect`, `reconnect` or a new first `retain` connects again. Cursor and handlers stay. */
  close(): void;
  /** Connects at once, whatever waits or is open: for a "try now" button. */
  reconnect(): void;
  /** Logout: closes and forgets token, cursor (in its store too), values and handlers. The client is of no use after. */
  destroy(): void;
  /**
   * Counts those who need the connection: the first connects, the last to release
   * disconnects, one task later (React's StrictMode releases and retains in one). It
   * neither ends an explicit `connect` nor revives a client that the hub has closed.
   */
  retain(): Unsubscribe;

  readonly state: ConnectionState;
  /** Calls fn after each change of `state`. */
  subscribeState(fn: () => void): Unsubscribe;

  /** Calls fn with every event of that type, in order and once. Its errors, a rejected promise included, go to `onError`. */
  on<K extends keyof M & string>(type: K, fn: Handler<M[K]>): Unsubscribe;
  /** Calls fn with every event whose type has the prefix; "*" is all of them. */
  on(pattern: "*" | `${string}*`, fn: Handler): Unsubscribe;
  /** Resolves with the next event of that type. Rejects if signal aborts or the client is destroyed. */
  once<K extends keyof M & string>(type: K, options?: { signal?: AbortSignal }): Promise<M[K]>;
  /**
   * The newest payload of a type, or of a type and key, that this client has received.
   * A "latest" value whose key a buffered event has ended is gone, and so is what a gap
   * made doubtful. It changes before handlers run; without an event only before `onGap`
   * and `subscribeState` are called. The newest 1,000 are kept.
   */
  latest<K extends keyof M & string>(type: K, key?: string): M[K] | undefined;
  /**
   * Calls fn when events are missing and the page must fetch its state again: after
   * `hub.live`, once per connect, and again whenever a connection was too slow.
   */
  onGap(fn: (gap: Gap) => void): Unsubscribe;

  /**
   * Sends a message to Config.OnMessage: a string as it is, anything else as JSON.
   * Returns false if there is no connection: nothing is queued. Throws a RangeError
   * over the hub's 4 KiB.
   */
  send(message: unknown): boolean;
  /** Asks the hub and resolves with the milliseconds until it answered. Rejects if there is no connection or it is lost. */
  ping(): Promise<number>;

  /** Where this client is: it moves after handlers ran. */
  readonly cursor: Cursor | null;
  /** Send it as your request's device, so that the hub's `Except` can leave this page out. */
  readonly deviceId: string;
}

/** One of the hub's messages. */
export interface Frame {
  type: string;
  payload?: unknown;
  timestamp?: string;
  class?: string;
  key?: string;
  scope?: string;
}

/**
 * Decides which client of several has the socket: made by `shareTabs`. The client
 * calls it once and hands over what it can do.
 */
export type Share = (host: ShareHost) => Membership;

/** A client, as those see it who share a socket with it. */
export interface ShareHost {
  readonly state: {
    readonly now: ConnectionState;
    set(change: Partial<ConnectionState>): void;
  };
  readonly values: {
    /** The values of class "latest", as frames in the order in which they came. */
    latest(): Frame[];
  };
  cursor(): Cursor | null;
  /** Takes a frame that another's socket brought. */
  receive(frame: Frame): void;
  /** Opens a socket here, which resumes from claim. An open one is replaced. */
  lead(claim: () => Cursor | null): void;
  /** Closes the socket here. */
  drop(): void;
  /** As Client has them, for the socket here. */
  send(data: string): boolean;
  ping(): Promise<number>;
  /** Looks whether the socket here is alive. dial: if the next attempt waits for its turn, it is now. */
  probe(dial: boolean): void;
}

/** A client's place among those that share a socket. */
export interface Membership {
  join(): void;
  leave(): void;
  /** A frame of the own socket, before the own handlers see it. */
  pass(frame: Frame): void;
  /** The own state has changed. */
  tell(state: ConnectionState): void;
  /** As Client has them, for a client whose socket is elsewhere. */
  send(data: string): boolean;
  probe(dial: boolean): void;
  ping(): Promise<number>;
  reconnect(): void;
}
