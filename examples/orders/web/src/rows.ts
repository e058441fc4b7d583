/** What lists have in common: rows with an ID that carry when they were changed. */
export interface Row {
  readonly updatedAt: string;
}

/** As many as the server lists of most rows. */
export const maxRows = 500;

/** Microseconds since the epoch of an RFC 3339 time. Strings do not compare: Go leaves out trailing zeros. */
export function micros(time: string): number {
  const [, date = "", fraction = "", zone = ""] = /^([^.]+?)(?:\.(\d+))?(Z|[+-]\d\d:\d\d)$/.exec(time) ?? [];
  return Date.parse(date + zone) * 1_000 + Number(fraction.padEnd(6, "0").slice(0, 6));
}

/**
 * Is what an event brings older than what is shown? A device's own change is known from
 * the response, and an event of another device's earlier change may come after that.
 */
export const isOlder = (row: Row, shown: Row) => micros(row.updatedAt) < micros(shown.updatedAt);

/** Data after a change. Not sure: the change may be only a part of what the server would answer, so it is asked. */
export interface Changed<T> {
  readonly data: T;
  readonly sure: boolean;
}

export const surely = <T>(data: T): Changed<T> => ({ data, sure: true });

/** Makes one change after another. */
export function inTurn<T, V>(data: T, values: readonly V[], change: (data: T, value: V) => Changed<T>): Changed<T> {
  return values.reduce((before, value) => {
    const after = change(before.data, value);
    return { data: after.data, sure: before.sure && after.sure };
  }, surely(data));
}

/** Puts a row in the place of the one with its ID. A list without it stays as it is. */
export function replace<T extends Row>(rows: readonly T[], row: T, id: (row: T) => string): T[] {
  return rows.map((shown) => (id(shown) === id(row) && !isOlder(row, shown) ? row : shown));
}

/**
 * The same, and a row that is not there comes first. That is where it belongs if it is as
 * it was made, and newer than the first one: the server has the newest first, by when they
 * were made, which no row says once it was changed.
 */
export function put<T extends Row>(rows: readonly T[], row: T, id: (row: T) => string, asMade: boolean): Changed<T[]> {
  if (rows.some((shown) => id(shown) === id(row))) return surely(replace(rows, row, id));
  const sure = asMade && isNewest(rows, row);
  // Of a full list it may well be none of the rows.
  const data = sure || rows.length < maxRows ? [row, ...rows].slice(0, maxRows) : [...rows];
  return { data, sure };
}

/** Is a row that was just made newer than all others? The first was made last, and maybe changed since. */
export const isNewest = ([first]: readonly Row[], row: Row) => !first || isOlder(first, row);

/** Leaves out the rows with these IDs. Of a full list nobody here knows what moves up. */
export function without<T extends Row>(
  rows: readonly T[],
  ids: readonly string[],
  id: (row: T) => string,
): Changed<T[]> {
  const gone = new Set(ids);
  const data = rows.filter((row) => !gone.has(id(row)));
  return { data, sure: data.length === rows.length || rows.length < maxRows };
}

/** The newest 1,000 of some IDs. */
export interface Ids {
  add(id: string): void;
  has(id: string): boolean;
}

export function createIds(max = 1_000): Ids {
  const ids = new Set<string>();
  return {
    add(id) {
      ids.add(id);
      if (ids.size > max) ids.delete(ids.values().next().value as string);
    },
    has: (id) => ids.has(id),
  };
}

/** What no list says, and events that come late must not undo. */
export interface Memory {
  /** What this page or another has deleted, or what has become something else: it never comes back. */
  readonly gone: Ids;
  /** Records of which a change was heard: the creation of one may be told only after it, and is out of date by then. */
  readonly changed: Ids;
}

export const createMemory = (): Memory => ({ gone: createIds(), changed: createIds() });
