import { expect, test } from "vitest";
import { ApiError } from "../src/api.ts";
import { write } from "../src/cache.ts";
import { readNotifications } from "../src/changes.ts";
import { createQueryClient } from "../src/queries.ts";
import { surely } from "../src/rows.ts";
import { bound, happened, notification } from "./kit.ts";

// What a response brings, written into data that events write too.

test("the answer that all were read, after a newer notification, has the list fetched", async () => {
  const { cache, queries, doubtful } = bound();
  const { queryKey } = queries.notifications;
  const shown = { unread: 1, revision: 6, rows: [notification("new")] };
  cache.setQueryData(queryKey, shown);
  await write(cache, queryKey, (old: typeof shown) => readNotifications(old, null, { unread: 0, revision: 5 }));
  expect(cache.getQueryData(queryKey)).toEqual(shown);
  expect(doubtful(queryKey)).toBe(true);
});

test("an answer that fits is written, and nothing is fetched", async () => {
  const { cache, queries, doubtful } = bound();
  const { queryKey } = queries.notifications;
  const shown = { unread: 1, revision: 6, rows: [notification("new")] };
  cache.setQueryData(queryKey, shown);
  await write(cache, queryKey, (old: typeof shown) => readNotifications(old, null, { unread: 0, revision: 7 }));
  expect(cache.getQueryData(queryKey)).toEqual({ unread: 0, revision: 7, rows: [notification("new", true)] });
  expect(doubtful(queryKey)).toBe(false);
});

test("every page of a list is changed, those without data stay so, and one that was doubtful is still", async () => {
  const { cache, doubtful } = bound();
  const page = (offset: number) => ["history", offset] as const;
  cache.setQueryData(page(0), 1);
  cache.setQueryData(page(20), 2);
  cache.getQueryCache().build(cache, { queryKey: page(40) });
  await cache.invalidateQueries({ queryKey: page(20) });
  await write(cache, ["history"], (old: number) => surely(old + 10));
  expect([0, 20, 40].map((offset) => cache.getQueryData(page(offset)))).toEqual([11, 12, undefined]);
  expect([0, 20, 40].map((offset) => doubtful(page(offset)))).toEqual([false, true, false]);
});

test("what is fetched for the first time is fetched once more after it: the answer may be from before", async () => {
  const { cache, queries, doubtful } = bound();
  const { queryKey } = queries.pending;
  let answer = (_: []) => {};
  const loaded = cache.prefetchQuery({
    queryKey,
    queryFn: () =>
      new Promise<[]>((resolve) => {
        answer = resolve;
      }),
  });
  await write(cache, queryKey, (old) => surely(old));
  answer([]);
  await loaded;
  await happened();
  expect(doubtful(queryKey)).toBe(true);
});

test("a list that could not be fetched is fetched again by itself, unless that was refused", () => {
  const { refetchInterval } = createQueryClient().getDefaultOptions().queries ?? {};
  const after = (status: string, error?: Error) =>
    typeof refetchInterval === "function" && refetchInterval({ state: { status, error } } as never);
  expect(after("success")).toBe(false);
  for (const [code, again] of [
    [0, 15_000],
    [503, 15_000],
    [429, 15_000],
    [403, false],
  ] as const)
    expect(after("error", new ApiError(code, "no"))).toBe(again);
});
