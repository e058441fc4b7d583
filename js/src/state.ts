import type { Listeners } from "./handlers.ts";
import type { ConnectionState } from "./types.ts";

export interface StateBox {
  readonly now: ConnectionState;
  /** Makes a new snapshot if something differs, and tells the listeners. */
  set(change: Partial<ConnectionState>): void;
}

const initial: ConnectionState = Object.freeze({ phase: "idle", attempt: 0, retryAt: null, stale: true });

export function createState(listeners: Listeners<[]>, tell: (state: ConnectionState) => void): StateBox {
  let now = initial;
  return {
    get now() {
      return now;
    },
    set(change) {
      const differs = (key: string) => change[key as keyof ConnectionState] !== now[key as keyof ConnectionState];
      if (!Object.keys(change).some(differs)) return;
      now = Object.freeze({ ...now, ...change });
      tell(now);
      listeners.call();
    },
  };
}
