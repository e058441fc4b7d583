import type { dataTagSymbol, Query, QueryClient, QueryFilters, QueryKey } from "@tanstack/react-query";
import type { Client, EventMap, Meta, Unsubscribe } from "../types.ts";

/**
 * Queries, and what is to be done with them: with `update` their data is changed in
 * place, without it they are invalidated. What `queryOptions` returns is a target too.
 */
export interface Target {
  /** As in the query client's filters: a prefix, and all queries if it is absent. */
  readonly queryKey?: QueryKey;
  /** Only the query of exactly that key. */
  readonly exact?: boolean;
  /**
   * Returns the new data, or undefined to leave it as it is. The data may show the
   * change already, if it was fetched a moment ago: write so that twice is as good as
   * once, "put the order with this ID", not "add one".
   */
  readonly update?: (old: never) => unknown;
}

/** What an event means for the cache. */
export type Rule<P> =
  | Target
  | readonly Target[]
  // biome-ignore lint/suspicious/noConfusingVoidType: a function that only sometimes has a target returns nothing at other times
  | ((payload: P, meta: Meta) => Target | readonly Target[] | undefined | void);

/** By type of event, or by a prefix of it. */
export type Rules<M extends object> = {
  readonly [K in (keyof M & string) | `${string}*`]?: Rule<K extends keyof M ? M[K] : unknown>;
};

export interface BindOptions<M extends object> {
  events?: Rules<M> | undefined;
  /**
   * What is invalidated when events are missing: on a gap, and where none can be told,
   * because the connection began without a cursor or was there before this binding.
   * Default: everything. `initialCursor` spares a page its fetch after the first connection.
   */
  gap?: readonly Target[] | undefined;
  /** What is invalidated every `pollMs` while the hub cannot be reached and the page is visible. Default: as `gap`. */
  poll?: readonly Target[] | undefined;
  /** How often, and how long after a fetch has failed it is made again. Default 15,000. */
  pollMs?: number | undefined;
  /** For so long invalidations are collected, so that a batch of events is one fetch. Default 250. */
  coalesceMs?: number | undefined;
}

/** A key that knows the type of its data. */
type Tagged<T> = QueryKey & { readonly [dataTagSymbol]: T };

/** A target whose data is changed in place. The type of the data is the key's, if `queryOptions` made it. */
export function update<T>(queryKey: Tagged<T>, updater: (old: NoInfer<T>) => NoInfer<T> | undefined): Target;
export function update<T>(
  queryKey: QueryKey & { readonly [dataTagSymbol]?: never },
  updater: (old: T) => T | undefined,
): Target;
export function update(queryKey: QueryKey, updater: (old: never) => unknown): Target {
  return { queryKey, exact: true, update: updater };
}

/**
 * Keeps a query cache as new as the events that come.
 *
 *     const unbind = bindQueryClient(client, queryClient, {
 *       events: {
 *         PENDING_CREATED: { queryKey: ["pending"] },
 *         PENDING_DELETED: ({ orderIds }) =>
 *           update(["pending"], (orders: Order[]) => orders.filter((o) => !orderIds.includes(o.id))),
 *       },
 *     });
 *
 * Updates are made in the order of the events, and only of data that is there. A fetch
 * under way is not cancelled, for in a stream of events none would ever end: updates that
 * it meets are made again of its answer, which may be from before them, and what was
 * updated or invalidated meanwhile is fetched again once it has answered, or has not for
 * `pollMs`: that must be longer than the slowest fetch with its retries. One that was made
 * for an event, a gap or the poll and that fails is made again every `pollMs` until it
 * succeeds.
 *
 * Returns what ends it. What waits is then invalidated at once, and no timer is left.
 */
export function bindQueryClient<M extends object = EventMap>(
  client: Client<M>,
  queryClient: QueryClient,
  options: BindOptions<NoInfer<M>> = {},
): Unsubscribe {
  const { events = {}, gap = [{}], poll = gap, pollMs = 15_000, coalesceMs = 250 } = options;
  const cache = queryClient.getQueryCache();
  /** To be invalidated, and until when a fetch may end before. Queries, not keys: as many as there are, however many events. */
  const doubtful = new Map<Query, number>();
  /** The updates that the fetches under way have met. */
  const met = new WeakMap<Query, Update[]>();
  /** Invalidated from here, and not answered since. */
  const asked = new WeakSet<Query>();
  let flushing: ReturnType<typeof setTimeout> | undefined;
  let retrying: typeof flushing;
  let polling: ReturnType<typeof setInterval> | undefined;
  let bound = true;
  /** The cache may have been filled before events came to it. */
  let blind = !["idle", "connecting"].includes(client.state.phase);

  function doubt(queries: readonly Query[] = []) {
    for (const query of queries) doubtful.has(query) || doubtful.set(query, Date.now() + pollMs);
    if (bound && doubtful.size) flushing ??= setTimeout(flush, coalesceMs);
  }

  /** Being fetched. An invalidation would not begin it anew if it has no data or nobody shows it, and its answer would count as new. */
  const waits = (query: Query, until: number) =>
    isFetching(query) &&
    cache.get(query.queryHash) === query &&
    (query.state.data === undefined || !query.isActive() || Date.now() < until);

  function flush() {
    flushing = undefined;
    const now = new Set<Query>();
    for (const [query, until] of doubtful) {
      if (bound && waits(query, until)) continue;
      doubtful.delete(query);
      met.delete(query); // what is fetched from now on knows of them
      now.add(query);
    }
    queryClient.invalidateQueries({ predicate: (query) => now.has(query) });
    for (const query of now) asked.add(query);
    doubt();
  }

  const isFailed = (query: Query) => !!query.state.error && asked.has(query) && query.isActive();

  /** Has those fetched later whose fetch has failed: nobody says again what it was for. */
  function retryLater(queries: readonly Query[]) {
    if (bound && queries.some(isFailed))
      retrying ??= setTimeout(() => {
        retrying = undefined;
        (globalThis.document?.hidden ? retryLater : doubt)(cache.findAll({ predicate: isFailed }));
      }, pollMs);
  }

  const find = (target: Target) => cache.findAll(target as QueryFilters);
  const invalidate = (...targets: readonly Target[]) => doubt(targets.flatMap(find));

  const change = (query: Query, update: Update) =>
    query.state.data === undefined || queryClient.setQueryData(query.queryKey, update);

  const write = (target: Target) =>
    Promise.all(
      find(target).map(async (query) => {
        const update = target.update as Update;
        const { fetchStatus, isInvalidated } = query.state;
        // Written data counts as new, and this is not, whatever is written.
        if (isInvalidated || fetchStatus !== "idle") doubt([query]);
        if (isFetching(query)) met.set(query, [...(met.get(query) ?? []), update].slice(-maxMet));
        change(query, update);
      }),
    );

  /** Makes updates again of the answer, before anybody renders it. */
  function again({ query }: { query: Query }) {
    const updates = met.get(query) ?? [];
    if (query.state.fetchStatus !== "idle") return;
    retryLater([query]);
    met.delete(query);
    // What one of them throws is nothing to the others: the query is fetched again in any case.
    if (query.state.error) return;
    asked.delete(query);
    Promise.allSettled(updates.map(async (update) => change(query, update)));
  }

  function hear(rule: Rule<never>, payload: unknown, meta: Meta) {
    const found = typeof rule === "function" ? rule(payload as never, meta) : rule;
    // Promises, so that the client hears of the errors of each.
    return Promise.all([found ?? []].flat().map(async (target) => (target.update ? write : invalidate)(target)));
  }

  function watch() {
    const { phase, code } = client.state;
    if (phase === "connected") {
      if (blind) invalidate(...gap);
      blind = false;
    } else blind ||= !client.cursor;
    // Connecting or reconnecting. 4409: this page gave its place to a newer one, and is still a page of that user.
    if (phase.endsWith("ing") || code === 4409) {
      polling ??= setInterval(() => globalThis.document?.hidden || invalidate(...poll), pollMs);
    } else {
      clearInterval(polling);
      polling = undefined;
    }
  }

  const undo = [
    ...Object.entries(events).map(([type, rule]) =>
      client.on(type as "*", (payload, meta) => hear(rule as Rule<never>, payload, meta)),
    ),
    cache.subscribe(again),
    client.onGap(() => invalidate(...gap)),
    client.subscribeState(watch),
  ];
  watch();
  return () => {
    for (const u of undo) u();
    clearInterval(polling);
    clearTimeout(flushing);
    clearTimeout(retrying);
    bound = false;
    flush();
  };
}

type Update = (old: unknown) => unknown;
/** How many updates, the newest, are kept for an answer: the fetch after it has the others. */
const maxMet = 1_000;
const isFetching = ({ state }: Query) => state.fetchStatus === "fetching";
