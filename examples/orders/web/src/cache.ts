import type { Query, QueryClient, QueryFilters, QueryKey } from "@tanstack/react-query";
import type { Changed } from "./rows.ts";

/**
 * Changes data that is there by what a response has brought. A fetch under way may have
 * been answered before: it is made again, and data that was not to be trusted stays so.
 */
export async function write<T>(cache: QueryClient, queryKey: QueryKey, change: (old: T) => Changed<T>): Promise<void> {
  const queries = cache.getQueryCache();
  const some: QueryFilters = { queryKey };
  const inDoubt = () =>
    queries.findAll(some).filter(({ state }) => state.isInvalidated || state.fetchStatus !== "idle");
  const doubtful = inDoubt();
  await cache.cancelQueries({ ...some, predicate: ({ state }) => state.data !== undefined });
  doubtful.push(...inDoubt());
  for (const query of queries.findAll(some)) {
    const old = query.state.data as T | undefined;
    if (old === undefined) continue;
    const { data, sure } = change(old);
    cache.setQueryData<unknown>(query.queryKey, data);
    if (!sure) doubtful.push(query);
  }
  refetch(cache, [...new Set(doubtful)]);
}

/**
 * Has data fetched again. What is being fetched is fetched once more after it: that answer
 * may be from before. It is let come, for in a stream of events none would ever come.
 */
export function refetch(cache: QueryClient, queries: readonly Query[]): void {
  const now = new Set<Query>();
  for (const query of queries) {
    if (!isFetching(cache, query)) now.add(query);
    else if (!awaited.has(query)) {
      awaited.add(query);
      query
        .fetch()
        .then(noop, noop)
        .then(() => {
          awaited.delete(query);
          refetch(cache, [query]);
        });
    }
  }
  if (now.size) cache.invalidateQueries({ predicate: (query) => now.has(query) });
}

const noop = () => {};
/** Those whose fetch is waited for. */
const awaited = new WeakSet<Query>();

/** One that is gone, after a logout, must not be asked: it would be fetched. */
const isFetching = (cache: QueryClient, query: Query) =>
  cache.getQueryCache().get(query.queryHash) === query && query.state.fetchStatus === "fetching";

/**
 * Has data fetched again after a moment, once for all that is said until then: a burst of
 * events is one fetch.
 */
export function createDoubt(cache: QueryClient, collectMs: number): (queryKey: QueryKey) => void {
  const doubtful = new Set<Query>();
  return (queryKey) => {
    if (!doubtful.size)
      setTimeout(() => {
        refetch(cache, [...doubtful]);
        doubtful.clear();
      }, collectMs);
    for (const query of cache.getQueryCache().findAll({ queryKey, exact: true })) doubtful.add(query);
  };
}
