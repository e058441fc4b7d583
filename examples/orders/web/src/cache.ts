import type { QueryClient, QueryKey } from "@tanstack/react-query";

/**
 * Changes data that is there by what a response has brought. A fetch under way may have
 * been answered before: it is made again, and data that was not to be trusted stays so.
 * A change that cannot tell from the data that is there returns undefined: it is fetched.
 */
export async function write<T>(
  cache: QueryClient,
  queryKey: QueryKey,
  change: (old: T) => T | undefined,
): Promise<void> {
  const known = cache.getQueryCache().findAll({ queryKey });
  const doubtful = new Set(known.filter(({ state }) => state.isInvalidated || state.fetchStatus !== "idle"));
  await cache.cancelQueries({ queryKey, predicate: ({ state }) => state.data !== undefined });
  for (const query of cache.getQueryCache().findAll({ queryKey })) {
    const old = query.state.data as T | undefined;
    const now = old === undefined ? undefined : change(old);
    if (now !== undefined) cache.setQueryData<unknown>(query.queryKey, now);
    else if (old !== undefined) doubtful.add(query);
  }
  if (doubtful.size) cache.invalidateQueries({ predicate: (query) => doubtful.has(query) });
}
