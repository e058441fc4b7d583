import { expect, test } from "vitest";
import { createIds, isOlder, maxRows, micros, put, replace, without } from "../src/rows.ts";

const row = (id: string, updatedAt: string) => ({ id, updatedAt });
const idOf = ({ id }: { id: string }) => id;

test("times of Go's are compared to the microsecond, with and without trailing zeros", () => {
  const sorted = [
    "2026-11-22T20:53:51.999999Z",
    "2026-11-22T20:53:52Z",
    "2026-11-22T20:53:52.000001Z",
    "2026-11-22T20:53:52.1Z",
    "2026-11-22T20:53:52.100001Z",
    "2026-11-22T20:53:52.12Z",
    "2026-11-22T20:53:52.999999Z",
    "2026-11-22T20:53:53Z",
  ];
  expect(sorted.toSorted((a, b) => micros(a) - micros(b))).toEqual(sorted);
  expect(new Set(sorted.map(micros)).size).toBe(sorted.length);
  expect(micros("2026-11-22T21:53:52.5+01:00")).toBe(micros("2026-11-22T20:53:52.5Z"));
  expect(isOlder(row("a", "2026-11-22T20:53:52.1Z"), row("a", "2026-11-22T20:53:52.12Z"))).toBe(true);
});

test("rows are put in place, new ones first, older ones not at all", () => {
  const rows = [row("a", "2026-01-01T00:00:02Z"), row("b", "2026-01-01T00:00:02Z")];
  const newer = row("b", "2026-01-01T00:00:03Z");
  expect(put(rows, newer, idOf, false)).toEqual({ data: [rows[0], newer], sure: true });
  expect(put(rows, row("b", "2026-01-01T00:00:01Z"), idOf, true)).toEqual({ data: rows, sure: true });
  const added = (at: string, asMade: boolean) => {
    const { data, sure } = put(rows, row("c", at), idOf, asMade);
    return [data.map(idOf).join(""), sure];
  };
  expect(added("2026-01-01T00:00:03Z", true)).toEqual(["cab", true]);
  // Where it stands only the server knows.
  expect(added("2026-01-01T00:00:03Z", false)).toEqual(["cab", false]);
  expect(added("2026-01-01T00:00:02Z", true)).toEqual(["cab", false]);
  expect(replace(rows, row("c", "2026-01-01T00:00:03Z"), idOf)).toEqual(rows);
  expect(without(rows, ["a", "x"], idOf)).toEqual({ data: [rows[1]], sure: true });
});

test("what is gone is remembered, within bounds", () => {
  const gone = createIds(2);
  for (const id of ["a", "b", "c"]) gone.add(id);
  expect(["a", "b", "c"].map(gone.has)).toEqual([false, true, true]);
});

test("what moves up in a full list, and what may be none of its rows, is fetched", () => {
  const full = Array.from({ length: maxRows }, (_, i) => row(`r${i}`, "2026-01-01T00:00:02Z"));
  expect(without(full, ["r7"], idOf).sure).toBe(false);
  expect(without(full, ["x"], idOf).sure).toBe(true);
  expect(put(full, row("c", "2026-01-01T00:00:01Z"), idOf, false)).toEqual({ data: full, sure: false });
  const { data, sure } = put(full, row("c", "2026-01-01T00:00:03Z"), idOf, true);
  expect([data.length, data[0]?.id, sure]).toEqual([maxRows, "c", true]);
});
