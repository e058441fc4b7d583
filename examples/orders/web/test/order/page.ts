import { type Query, QueryObserver } from "@tanstack/react-query";
import type { Client, Meta } from "@usercast/client";
import { bindQueryClient } from "@usercast/client/query";
import { vi } from "vitest";
import { type Api, ApiError, type HistoryPage, type Notifications } from "../../src/api.ts";
import type { EventMap } from "../../src/events.gen.ts";
import { createQueries, createQueryClient } from "../../src/queries.ts";
import { createMemory } from "../../src/rows.ts";
import { createRules } from "../../src/rules.ts";
import { noSyncs, reduceSyncs, type Syncs } from "../../src/syncs.ts";
import { at } from "../kit.ts";
import type { Lists, Server, Told } from "./server.ts";

/** A request on its way: the server reads its rows for it at some moment, and the answer comes at a later one. */
interface Asked {
  read(): void;
  /** fails: the server cannot answer. */
  answer(fails?: boolean): void;
}

const shownOffsets = [0, 20];

/** The page without its pixels: the real cache, binding and rules, and a hub and a network that the test moves. */
export class Page {
  readonly cache = createQueryClient();
  readonly memory = createMemory();
  readonly queries;
  readonly asked = new Set<Asked>();
  readonly client;
  syncs: Syncs = noSyncs;
  readonly #server: Server;
  readonly #handlers: [string, (payload: never, meta: Meta) => unknown][] = [];
  readonly #gaps: (() => void)[] = [];
  readonly #heard = new Map<string, unknown>();
  readonly #unsubscribe: (() => void)[] = [];
  #heardCount = 0;

  constructor(server: Server) {
    this.#server = server;
    this.queries = createQueries(this.#api());
    this.client = this.#client();
    this.#unsubscribe.push(
      bindQueryClient(this.client, this.cache, createRules(this.queries, this.cache, this.memory)),
    );
    const { pending, submitted, customers, notifications, jobs, history } = this.queries;
    for (const query of [pending, submitted, customers, notifications, jobs, history(0)])
      this.#unsubscribe.push(new QueryObserver(this.cache, query as never).subscribe(() => {}));
    // The second page of the history was looked at, and is not on the screen any more.
    this.cache.prefetchQuery(history(20));
    let known: unknown;
    this.#unsubscribe.push(
      this.cache.getQueryCache().subscribe(() => {
        const data = this.cache.getQueryData(jobs.queryKey);
        if (data && data !== known) this.syncs = reduceSyncs(this.syncs, { kind: "jobs", jobs: data, now: 0 });
        known = data;
      }),
    );
  }

  #api(): Api {
    const ask = <T>(select: (lists: Lists) => T, signal?: AbortSignal) =>
      new Promise<T>((resolve, reject) => {
        let read: (() => T) | undefined;
        const asked: Asked = {
          read: () => {
            if (read) return;
            const now = select(this.#server.lists());
            read = () => now;
          },
          answer: (fails = false) => {
            asked.read();
            this.asked.delete(asked);
            if (fails) reject(new ApiError(503, "overloaded"));
            else if (read) resolve(structuredClone(read()));
          },
        };
        this.asked.add(asked);
        signal?.addEventListener("abort", () => this.asked.delete(asked));
      });
    return {
      pending: (signal) => ask(({ pending }) => pending, signal),
      submitted: (signal) => ask(({ submitted }) => submitted, signal),
      customers: (signal) => ask(({ customers }) => customers, signal),
      notifications: (signal) => ask(({ notifications }) => notifications, signal),
      jobs: (signal) => ask(({ jobs }) => jobs, signal),
      history: (_, offset, signal) => ask(({ history }) => history(offset), signal),
    } as Partial<Api> as Api;
  }

  #client(): Client<EventMap> {
    return {
      state: { phase: "connected", stale: false, attempt: 0, retryAt: null },
      cursor: { epoch: "e", lastEventTs: at(0) },
      on: (type: string, fn: (payload: never, meta: Meta) => unknown) => {
        this.#handlers.push([type, fn]);
        return () => {};
      },
      onGap: (fn: () => void) => {
        this.#gaps.push(fn);
        return () => {};
      },
      subscribeState: () => () => {},
      latest: (type: string, key: string) => this.#heard.get(`${type} ${key}`),
    } as unknown as Client<EventMap>;
  }

  /** Hears an event. */
  hear({ type, payload }: Told) {
    const timestamp = at(500_000 + ++this.#heardCount);
    const meta = { type, timestamp, replayed: false, transient: false, latest: false, scope: "user" } as const;
    if ("jobId" in payload) this.#heard.set(`${type} job:${payload.jobId}`, payload);
    for (const [pattern, fn] of this.#handlers)
      if (pattern === type || (pattern.endsWith("*") && type.startsWith(pattern.slice(0, -1))))
        fn(payload as never, meta);
    if (/^(JOB|SYNC)_/.test(type)) this.syncs = reduceSyncs(this.syncs, { kind: "event", type, payload, now: 0 });
  }

  /** Is told that events are lost. */
  gap() {
    this.#heard.clear();
    for (const fn of this.#gaps) fn();
  }

  shown = <K extends "pending" | "submitted" | "customers" | "jobs">(list: K): Lists[K] =>
    (this.cache.getQueryData<Lists[K]>(this.queries[list].queryKey) ?? []) as Lists[K];
  shownHistory = (offset: number): HistoryPage =>
    this.cache.getQueryData(this.queries.history(offset).queryKey) ?? { total: 0, rows: [] };
  shownNotifications = (): Notifications =>
    this.cache.getQueryData(this.queries.notifications.queryKey) ?? { unread: 0, revision: 0, rows: [] };

  /** Answers all requests, until nobody asks any more. */
  async settle() {
    const queries = this.cache.getQueryCache();
    const waits = (query: Query) =>
      query.state.fetchStatus !== "idle" || (query.isActive() && query.state.status === "error");
    for (let quiet = 0; quiet < 2; quiet++) {
      await vi.advanceTimersByTimeAsync(300);
      if (queries.getAll().some(waits)) quiet = -1;
      for (const one of [...this.asked]) one.answer();
    }
  }

  /** Pages of the history that are trusted: others are fetched when they are looked at. */
  trusted = () =>
    shownOffsets.filter((offset) => {
      const state = this.cache.getQueryState(this.queries.history(offset).queryKey);
      return state?.data !== undefined && !state.isInvalidated;
    });

  end() {
    for (const undo of this.#unsubscribe) undo();
    this.cache.clear();
  }
}
