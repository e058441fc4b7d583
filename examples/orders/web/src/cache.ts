import type { QueryClient, QueryKey } from "@tanstack/react-query";

/**
 * Changes data that is there by what a response has brought. A fetch under way may have
 * been answered before: it is made again, and data that was not to be trusted stays so.
 */
export async function write<T>(cache: QueryClient, queryKey: QueryKey, change: (old: T) => T): Promise<void> {
  const known = cache.getQueryCache().findAll({ queryKey });
  const doubtful = new Set(known.filter(({ state }) => state.isInvalidated || state.fetchStatus !== "idle"));
  await cache.cancelQueries({ queryKey, predicate: ({ state }) => state.data !== undefined });
  cache.setQueriesData<T>({ queryKey }, (old) => (old === undefined ? undefined : change(old)));
  if (doubtful.size) cache.invalidateQueries({ predicate: (query) => doubtful.has(query) });
}
