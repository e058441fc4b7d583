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

const againMs = 5_000;

/** A cache whose data stays fresh: events keep it so, and say when it is not. */
export const createQueryClient = () =>
  new QueryClient({
    defaultOptions: {
      queries: {
        staleTime: Number.POSITIVE_INFINITY,
        refetchOnWindowFocus: false,
        refetchOnReconnect: false,
        networkMode: "always",
        // What the server has refused it refuses again.
        retry: (failures, error) =>
          failures < 2 && !(error instanceof ApiError && error.status >= 400 && error.status < 500),
        retryDelay: (attempt) => 500 * 2 ** attempt,
        // Nobody says again what a fetch was for that has failed.
        refetchInterval: ({ state }) => state.status === "error" && againMs,
      },
      mutations: { networkMode: "always", retry: false },
    },
  });
