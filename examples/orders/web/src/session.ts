import type { QueryClient } from "@tanstack/react-query";
import { type Client, type Cursor, createClient, sessionCursor } from "@usercast/client";
import { bindQueryClient } from "@usercast/client/query";
import { type Api, ApiError, createApi, request } from "./api.ts";
import { deviceId } from "./device.ts";
import type { EventMap } from "./events.gen.ts";
import { createQueries, createQueryClient, type Queries } from "./queries.ts";
import { createMemory, type Memory } from "./rows.ts";
import { createRules } from "./rules.ts";
import { createTokens, type Grant, renew, type Tokens } from "./tokens.ts";

/** Everything of one user in this tab. Nothing of it survives the logout. */
export interface Session {
  readonly user: string;
  readonly api: Api;
  readonly client: Client<EventMap>;
  readonly cache: QueryClient;
  readonly queries: Queries;
  readonly memory: Memory;
  /** Asks the hub for nothing more, forgets token, cursor and data. */
  end(): void;
}

/** Where the page is: before it knows, logged out, or logged in. */
export type Stage =
  | { readonly at: "start"; readonly error?: ApiError }
  | { readonly at: "out"; readonly note?: string }
  | { readonly at: "in"; readonly session: Session };

/** Whether to ask for a token at all: the session's cookie is for the server only. */
const known = "orders:user";
/** The hub has closed every connection of the user, because one of the user's devices logged out. */
const disconnected = 4403;
const againMs = 3_000;

let stage: Stage = { at: "start" };
let device = "";
let retry: ReturnType<typeof setTimeout> | undefined;
const watchers = new Set<() => void>();

export const readStage = () => stage;

export function watchStage(fn: () => void): () => void {
  watchers.add(fn);
  return () => watchers.delete(fn);
}

function set(next: Stage) {
  if (stage.at === "in" && stage !== next) stage.session.end();
  clearTimeout(retry);
  stage = next;
  for (const fn of watchers) fn();
}

/** Goes on with the session that the browser has, if it has one. */
export async function start(): Promise<void> {
  device ||= await deviceId();
  if (!localStorage.getItem(known)) return set({ at: "out" });
  try {
    const { grant, response } = await renew();
    await enter(grant, response);
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    if (error.status === 401) return leave("Your session has ended. Log in again.");
    set({ at: "start", error });
    retry = setTimeout(start, againMs);
  }
}

/** Throws ApiError. */
export async function login(user: string): Promise<void> {
  const { data, response } = await request<Grant>("/api/login", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ user }),
  });
  await enter(data, response);
}

/** Throws ApiError if the server does not know of it: then the session goes on. */
export async function logout(session: Session): Promise<void> {
  // The hub's farewell to all of the user's devices may come before the answer: this page
  // would take it for another device's, and ask for a token that it no longer gets.
  session.client.close();
  try {
    await session.api.logout();
  } catch (error) {
    session.client.connect();
    throw error;
  }
  leave();
}

function leave(note?: string) {
  localStorage.removeItem(known);
  set(note ? { at: "out", note } : { at: "out" });
}

async function enter(grant: Grant, response: Response): Promise<void> {
  localStorage.setItem(known, grant.user);
  const tokens = createTokens(grant, response, (next) => {
    if (stage.at !== "in" || stage.session.user !== grant.user) return;
    if (!next) return leave("Your session has ended. Log in again.");
    set({ at: "start" });
    start();
  });
  const api = createApi(tokens, device);
  // The cursor comes before any data: what happens in between is then replayed, and nothing falls into a hole.
  const { cursor } = await api.bootstrap();
  set({ at: "in", session: open(tokens, api, cursor) });
}

function open(tokens: Tokens, api: Api, initialCursor: Cursor): Session {
  const { user } = tokens;
  const cache = createQueryClient();
  const queries = createQueries(api);
  const memory = createMemory();
  const client = createClient<EventMap>({
    url: "/ws",
    deviceId: device,
    initialCursor,
    cursor: sessionCursor(user),
    getToken: ({ reason }) => tokens.token(reason !== "connect"),
  });
  const unbind = bindQueryClient(client, cache, createRules(queries, cache, memory));
  let closings = 0;
  const unwatch = client.subscribeState(() => {
    const { phase, code } = client.state;
    if (phase !== "closed" || code !== disconnected) return;
    // Another device's logout: this one may have a session of its own. If it has none, asking for a token says so.
    setTimeout(() => tokens.token(true).then(client.reconnect, () => {}), 500 * closings++);
  });
  return {
    user,
    api,
    client,
    cache,
    queries,
    memory,
    end() {
      unwatch();
      unbind();
      client.destroy();
      cache.clear();
    },
  };
}
