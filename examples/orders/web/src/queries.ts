import { keepPreviousData, QueryClient, queryOptions } from "@tanstack/react-query";
import { type Api, ApiError } from "./api.ts";

export type Queries = ReturnType<typeof createQueries>;

/** Rows of a page of the history. */
export const historyLimit = 20;

/** What the page shows of the server, each with its key. */
export function createQueries(api: Api) {
  return {
    pending: queryOptions({ queryKey: ["pending"], queryFn: ({ signal }) => api.pending(signal) }),
    submitted: queryOptions({ queryKey: ["submitted"], queryFn: ({ signal }) => api.submitted(signal) }),
    history: (offset: number) =>
      queryOptions({
        queryKey: ["history", offset],
        queryFn: ({ signal }) => api.history(historyLimit, offset, signal),
        placeholderData: keepPreviousData,
      }),
    customers: queryOptions({ queryKey: ["customers"], queryFn: ({ signal }) => api.customers(signal) }),
    notifications: queryOptions({ queryKey: ["notifications"], queryFn: ({ signal }) => api.notifications(signal) }),
    jobs: queryOptions({ queryKey: ["jobs"], queryFn: ({ signal }) => api.jobs(signal) }),
    syncs: queryOptions({ queryKey: ["syncs"], queryFn: ({ signal }) => api.syncs(signal) }),
  };
}

/** As bindQueryClient's pollMs: that repeats only what it has asked for itself. */
const againMs = 15_000;

/** What the server has refused it refuses again, unless it was asked too often. */
const isRefused = (error: unknown) =>
  error instanceof ApiError && error.status >= 400 && error.status < 500 && error.status !== 429;

/** A cache whose data stays fresh: events keep it so, and say when it is not. */
export const createQueryClient = () =>
  new QueryClient({
    defaultOptions: {
      queries: {
        staleTime: Number.POSITIVE_INFINITY,
        refetchOnWindowFocus: false,
        refetchOnReconnect: false,
        networkMode: "always",
        retry: (failures, error) => failures < 2 && !isRefused(error),
        retryDelay: (attempt) => 500 * 2 ** attempt,
        refetchInterval: ({ state: { status, error } }) => status === "error" && !isRefused(error) && againMs,
      },
      mutations: { networkMode: "always", retry: false },
    },
  });
