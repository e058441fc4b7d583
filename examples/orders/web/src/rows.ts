/** What lists have in common: rows with an ID that carry when they were changed. */
export interface Row {
  readonly updatedAt: string;
}

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

/** Puts a row in the place of the one with its ID. A list without it stays as it is. */
export function replace<T extends Row>(rows: readonly T[], row: T, id: (row: T) => string): T[] {
  return rows.map((shown) => (id(shown) === id(row) && !isOlder(row, shown) ? row : shown));
}

/** The same, and a row that is new comes first. */
export function put<T extends Row>(rows: readonly T[], row: T, id: (row: T) => string): T[] {
  return rows.some((shown) => id(shown) === id(row)) ? replace(rows, row, id) : [row, ...rows];
}

/** Leaves out the rows with these IDs. */
export function without<T extends Row>(rows: readonly T[], ids: readonly string[], id: (row: T) => string): T[] {
  const gone = new Set(ids);
  return rows.filter((row) => !gone.has(id(row)));
}

/** The IDs of what this page or another has deleted, so that an event from before does not bring it back. The newest 1,000 are kept. */
export interface Gone {
  add(id: string): void;
  has(id: string): boolean;
}

export function createGone(max = 1_000): Gone {
  const ids = new Set<string>();
  return {
    add(id) {
      ids.add(id);
      if (ids.size > max) ids.delete(ids.values().next().value as string);
    },
    has: (id) => ids.has(id),
  };
}
