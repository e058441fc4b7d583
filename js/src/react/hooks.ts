import {
  type Context,
  createContext,
  createElement,
  type ReactNode,
  use,
  useEffect,
  useLayoutEffect,
  useMemo,
  useState,
  useSyncExternalStore,
} from "react";
import type { Client, ConnectionState, EventMap, Handler } from "../types.ts";
import { listen } from "./listen.ts";
import { createJob, type JobOptions, type Progress, type ProgressOptions, unknown } from "./progress.ts";

/** A client that exists already, or how to make one. */
export type HubProviderProps<M extends object> = { children?: ReactNode } & (
  | { client: Client<M>; create?: undefined }
  | {
      /** Called once per mount: `() => createClient<Events>({ … })`. Connects nothing, so it may run on a server. */
      create: () => Client<M>;
      client?: undefined;
    }
);

/** What `createHooks` returns. No hook opens a socket: that is the provider's business. */
export interface Hooks<M extends object> {
  /**
   * Connects the client for as long as it is mounted. Several providers of one client
   * share its socket, and StrictMode opens one. Unmounting disconnects and forgets
   * nothing: at logout call `client.destroy()`.
   */
  HubProvider(props: HubProviderProps<M>): ReactNode;

  /** The provider's client. Throws if there is no provider above. */
  useClient(): Client<M>;

  /**
   * Calls handler with every event of that type while the component is mounted: in
   * order, once, none skipped in a burst. It is always the handler of the newest
   * render, and another one does not subscribe again. Its errors go to the client's
   * `onError`.
   */
  useEvent<K extends keyof M & string>(type: K, handler: Handler<M[K]>): void;
  /** Every event whose type has the prefix; "*" is all of them. */
  useEvent(pattern: "*" | `${string}*`, handler: Handler): void;

  /**
   * The newest payload of a type, or of a type and key, as `client.latest` has it;
   * undefined before there is one and after it ended. It may skip values: to see each
   * one, `useEvent`.
   */
  useLatest<K extends keyof M & string>(type: K, key?: string): M[K] | undefined;

  /**
   * How a job stands, or anything else that goes on for a while: see `Progress`. id may
   * be absent as long as there is no job.
   */
  useProgress<T extends string = "JOB_PROGRESS">(
    id: string | number | null | undefined,
    options?: ProgressOptions<M, T>,
  ): Progress<M, T>;

  /** The client's state: the same reference until something changes. */
  useConnectionState(): ConnectionState;
}

/** The state on a server. The first render in a browser has to agree with it. */
const idle: ConnectionState = { phase: "idle", attempt: 0, retryAt: null, stale: true };

/**
 * Makes the provider and the hooks of one hub, typed by its events:
 *
 *     export const { HubProvider, useEvent, useLatest } = createHooks<Events>();
 *
 * Call it once, in a module of its own. Each call has a context of its own, so two
 * hubs, or a library's and the page's, do not get in each other's way.
 */
export function createHooks<M extends object = EventMap>(): Hooks<M> {
  const context = createContext<Client<M> | null>(null);
  return {
    HubProvider({ client, create, children }) {
      const [made] = useState(create);
      const value = client ?? (made as Client<M>);
      // Parents come after their children, who have subscribed when the first event comes.
      useEffect(() => value.retain(), [value]);
      return createElement(context, { value, children });
    },

    useClient: () => useProvided(context),

    useEvent(type: string, handler: Handler<never>) {
      const client = useProvided(context);
      const newest = useNewest(handler);
      // Not a layout effect: those end while a component is suspended, and events would be lost.
      useEffect(() => client.on(type as "*", (p, meta) => newest.current(p as never, meta)), [client, type, newest]);
    },

    useLatest: (type, key) => useValue(useProvided(context), (client) => client.latest(type, key), undefined),

    useProgress(id: unknown, options: JobOptions = {}) {
      const client = useProvided(context);
      const newest = useNewest(options);
      const { key = id == null ? "" : `job:${id}` } = options;
      const [subscribe, snapshot] = useMemo(() => createJob(client, key, newest), [client, key, newest]);
      return useSyncExternalStore(subscribe, snapshot, () => unknown) as never;
    },

    useConnectionState: () => useValue(useProvided(context), (client) => client.state, idle),
  };
}

function useProvided<M extends object>(context: Context<Client<M> | null>): Client<M> {
  const client = use(context);
  if (!client) throw new Error("usercast: no HubProvider above");
  return client;
}

/** What get returns now, and again whenever it may return something else. */
function useValue<M extends object, T>(client: Client<M>, get: (client: Client<M>) => T, onServer: T): T {
  // Any event may end a latest value, and so may a gap, a new connection and destroy.
  const subscribe = useMemo(() => (fn: () => void) => listen(client, fn), [client]);
  return useSyncExternalStore(
    subscribe,
    () => get(client),
    () => onServer,
  );
}

/** What the newest render brought, for those who are called later. */
function useNewest<T>(value: T): { readonly current: T } {
  const [ref] = useState({ current: value });
  useLayoutEffect(() => {
    ref.current = value;
  });
  return ref;
}
