import type { Cursor, CursorStore } from "./types.ts";

/** Keeps the cursor for as long as the page lives. The default. */
export function memoryCursor(): CursorStore {
  let kept: Cursor | null = null;
  return {
    load: () => kept,
    save: (cursor) => {
      kept = cursor;
    },
  };
}

/**
 * Keeps the cursor over reloads of one tab. The user's ID is part of the name: whoever
 * logs in next must not resume from another's cursor. Where there is no sessionStorage
 * (a server, a worker) it keeps nothing.
 */
export function sessionCursor(user: string): CursorStore {
  const name = `usercast:cursor:${user}`;
  const storage = () => globalThis.sessionStorage as Storage | undefined;
  return {
    load: () => JSON.parse(storage()?.getItem(name) ?? "null"),
    save: (cursor) => {
      if (cursor) storage()?.setItem(name, JSON.stringify(cursor));
      else storage()?.removeItem(name);
    },
  };
}
