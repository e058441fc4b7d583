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
 * Updates are made in the order of the events, and only of data that is there. One that
 * meets a fetch under way cancels it, and has it made again with the next invalidations:
 * its answer might be from before the event. A query that is fetched for the first time
 * when it is invalidated is fetched again once it has its data, and one whose fetch fails,
 * after its own retries, every `pollMs` until it succeeds.
 *
 * Returns what ends it. What waits is then done at once, and nothing is left.
 */
export function bindQueryClient<M extends object = EventMap>(
  client: Client<M>,
  queryClient: QueryClient,
  options: BindOptions<NoInfer<M>> = {},
): Unsubscribe {
  const { events = {}, gap = [{}], poll = gap, pollMs = 15_000, coalesceMs = 250 } = options;
  const cache = queryClient.getQueryCache();
  /** To be invalidated. Queries, not keys: as many as there are, however many events. */
  const doubtful = new Set<Query>();
  const failed = new Set<Query>();
  let flushing: ReturnType<typeof setTimeout> | undefined;
  let retrying: typeof flushing;
  let polling: ReturnType<typeof setInterval> | undefined;
  let updates = Promise.resolve();
  let bound = true;
  /** The cache may have been filled before events came to it. */
  let blind = !["idle", "connecting"].includes(client.state.phase);

  function doubt(queries: readonly Query[] = []) {
    for (const query of queries) doubtful.add(query);
    if (bound && doubtful.size) flushing ??= setTimeout(flush, coalesceMs);
  }

  function flush() {
    flushing = undefined;
    const now = new Set<Query>();
    for (const query of doubtful) {
      if (cache.get(query.queryHash) === query && first(query)) continue;
      doubtful.delete(query);
      now.add(query);
    }
    queryClient.invalidateQueries({ predicate: (query) => now.has(query) }).then(() => retryLater(now));
    doubt();
  }

  /** Has those fetched later whose fetch has failed: nobody says again what it was for. */
  function retryLater(queries: Iterable<Query>) {
    for (const query of queries) if (isFailed(query)) failed.add(query);
    if (bound && failed.size)
      retrying ??= setTimeout(() => {
        retrying = undefined;
        const waiting = [...failed].filter(isFailed);
        failed.clear();
        const now = globalThis.document?.hidden ? [] : waiting.filter(({ state }) => state.fetchStatus === "idle");
        doubt(now);
        retryLater(waiting.filter((query) => !now.includes(query))); // hidden, or being fetched: see how that ends
      }, pollMs);
  }

  const invalidate = (targets: readonly Target[]) =>
    doubt(targets.flatMap(({ queryKey, exact }) => cache.findAll({ queryKey, exact } as QueryFilters)));

  async function write({ queryKey, exact, update }: Target) {
    const some = { queryKey, exact } as QueryFilters;
    const known = { ...some, predicate: ({ state }: Query) => state.data !== undefined };
    // Written data counts as new, and these are not, whatever is written.
    const inDoubt = () =>
      cache.findAll(some).filter(({ state }) => state.isInvalidated || state.fetchStatus !== "idle");
    const before = inDoubt();
    // It puts back what was there before the fetch, and says when: what is written before that may be undone.
    await queryClient.cancelQueries(known);
    const since = inDoubt();
    queryClient.setQueriesData(known, update as (old: unknown) => unknown);
    doubt([...before, ...since]);
  }

  function hear(rule: Rule<never>, payload: unknown, meta: Meta) {
    const found = typeof rule === "function" ? rule(payload as never, meta) : rule;
    const done = updates.then(() =>
      Promise.all([found ?? []].flat().map((target) => (target.update ? write(target) : invalidate([target])))),
    );
    updates = done.then(noop, noop);
    return done; // the client hears of its errors
  }

  function watch() {
    const { phase, code } = client.state;
    if (phase === "connected") {
      if (blind) invalidate(gap);
      blind = false;
    } else blind ||= !client.cursor;
    // 4409: this page gave its place to a newer one, and is still a page of that user.
    if (phase === "connecting" || phase === "reconnecting" || code === 4409) {
      polling ??= setInterval(() => globalThis.document?.hidden || invalidate(poll), pollMs);
    } else {
      clearInterval(polling);
      polling = undefined;
    }
  }

  const undo = [
    ...Object.entries(events).map(([type, rule]) =>
      client.on(type as "*", (payload, meta) => hear(rule as Rule<never>, payload, meta)),
    ),
    client.onGap(() => invalidate(gap)),
    client.subscribeState(watch),
  ];
  watch();
  return () => {
    for (const u of undo) u();
    clearInterval(polling);
    clearTimeout(flushing);
    clearTimeout(retrying);
    bound = false;
    updates.then(flush); // those that came are made first
  };
}

const noop = () => {};
/** Fetches for the first time: TanStack lets an invalidation pass meanwhile, and calls the data new afterwards. */
const first = ({ state }: Query) => state.data === undefined && state.fetchStatus === "fetching";
/** Shown, and not as new as it should be. */
const isFailed = (query: Query) => query.state.status === "error" && query.state.isInvalidated && query.isActive();
