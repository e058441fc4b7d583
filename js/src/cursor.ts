import type { CursorStore } from "./types.ts";

/**
 * Keeps the cursor over reloads of one tab. The user's ID is part of the name: whoever
 * logs in next must not resume from another's cursor. Where there is no sessionStorage
 * (a server, a worker) it keeps nothing.
 */
export function sessionCursor(user: string): CursorStore {
  const name = `usercast:cursor:${user}`;
  return {
    load: () => JSON.parse(globalThis.sessionStorage?.getItem(name) ?? "null"),
    save: (cursor) => {
      if (cursor) globalThis.sessionStorage?.setItem(name, JSON.stringify(cursor));
      else globalThis.sessionStorage?.removeItem(name);
    },
  };
}
