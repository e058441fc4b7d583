import type { Listeners } from "./handlers.ts";
import type { ConnectionState, Phase } from "./types.ts";

export interface StateBox {
  readonly now: ConnectionState;
  /** Makes a new snapshot if something differs, and tells the listeners. */
  set(change: Partial<ConnectionState>): void;
  /** There is no connection, and why. */
  down(phase: Phase, attempt?: number, reason?: string, code?: number, retryAt?: number | null): void;
}

const initial: ConnectionState = Object.freeze({ phase: "idle", attempt: 0, retryAt: null, stale: true });

export function createState(listeners: Listeners<[]>, tell: (state: ConnectionState) => void): StateBox {
  let now = initial;
  function set(change: Partial<ConnectionState>) {
    for (const key of Object.keys(change) as (keyof ConnectionState)[]) {
      if (change[key] === now[key]) continue;
      now = Object.freeze({ ...now, ...change });
      tell(now);
      listeners.call();
      return;
    }
  }
  return {
    get now() {
      return now;
    },
    set,
    down: (phase, attempt = 0, reason, code, retryAt = null) =>
      set({ phase, attempt, stale: true, retryAt, reason, code }),
  };
}
