import type { Client, ConnectionState, Cursor, Frame, Meta } from "../../src/types.ts";

/** How a test wants its page's client: see pages/core.js. */
export interface Start {
  url: string;
  backoff?: { minMs?: number; maxMs?: number; stableMs?: number };
  connectTimeoutMs?: number;
  deviceId?: string;
  /** Keeps the cursor in sessionStorage, under this user. */
  session?: string;
  initialCursor?: Cursor;
  /** One socket for all tabs of this user. */
  share?: string;
  /** The hub knows the user by a cookie: there is no getToken. */
  cookie?: boolean;
  /** False: keep no entries, for a test of memory. */
  keep?: boolean;
  /** False: the test connects. */
  connect?: boolean;
}

/** One of a page's WebSockets. */
export interface SocketRecord {
  url: string;
  /** When it was made, in ms since the epoch. */
  at: number;
  opened: boolean;
  closed: { code: number; reason: string } | null;
}

/** Something that a page saw, in the order in which it did. */
export type Entry =
  | { kind: "socket"; socket: number }
  | { kind: "frame"; socket: number; frame: Frame }
  | { kind: "close"; socket: number; code: number }
  | { kind: "event"; payload: unknown; meta: Meta }
  | { kind: "gap"; reason: string }
  | { kind: "state"; state: ConnectionState }
  | { kind: "error"; text: string };

export interface PageRecord {
  sockets: SocketRecord[];
  entries: Entry[];
  keep: boolean;
  pings: { sent: number; answered: number };
}

/** What the test's answer to getToken may be. */
export interface Answer {
  token?: string;
  unauthorized?: boolean;
  error?: string;
}

declare global {
  interface Window {
    e2e: {
      start(options: Start): Promise<void>;
      record: PageRecord;
      client: Client | undefined;
      readonly heard: number;
      /** Of the React page. */
      readonly mounts?: number;
    };
    askToken(reason: string): Promise<Answer>;
    rendered: unknown;
    /** A test's own: how its timers fare. */
    slowest: number;
  }
}
