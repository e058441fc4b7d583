import type { Cursor } from "@usercast/client";
import type {
  Customer,
  HistoryRecord,
  Notification,
  OrderLine,
  PendingOrder,
  SubmittedOrder,
  SyncRunning,
} from "./events.gen.ts";
import type { Job } from "./jobs.ts";

export type SyncType = SyncRunning["syncType"];
export const syncTypes: readonly SyncType[] = ["customers", "orders", "products", "prices"];

export interface OrderInput {
  customerId: string;
  lines: OrderLine[];
  note: string;
}

export type HistoryInput = Pick<HistoryRecord, "customerName" | "article" | "quantity" | "revenueCents">;
export type CustomerInput = Pick<Customer, "name" | "city" | "email">;

export interface HistoryPage {
  total: number;
  rows: HistoryRecord[];
}

export interface Notifications {
  unread: number;
  /** Of the list: an unread with a lower one is out of date. */
  revision: number;
  rows: Notification[];
}

export type Unread = Pick<Notifications, "unread" | "revision">;

export interface SyncState {
  syncType: SyncType;
  lastCompletedAt: string | null;
  rows: number;
}

export interface HubStats {
  connections: number;
  users: number;
  broadcasts: number;
  delivered: number;
  gaps: number;
  eventsPerSecond: number;
  buffered: number;
  uptimeMs: number;
}

/** What the server says when it refuses, fit to be shown. */
export class ApiError extends Error {
  override name = "ApiError";
  constructor(
    readonly status: number,
    message: string,
    /** The input that is wrong. */
    readonly field?: string | undefined,
    /** What to do about it. */
    readonly fix?: string | undefined,
  ) {
    super(message);
  }
}

/** No answer at all. */
export class Unreachable extends ApiError {
  override name = "Unreachable";
  constructor() {
    super(0, "The server cannot be reached.", undefined, "Look whether you are online, and try again.");
  }
}

/** How long an answer may take: a network that went away while a laptop slept says nothing of it. */
const answerMs = 60_000;

/** Makes a request and reads its answer. Throws ApiError. */
export async function request<T>(path: string, init: RequestInit): Promise<{ data: T; response: Response }> {
  const timeout = AbortSignal.timeout(answerMs);
  const signal = init.signal ? AbortSignal.any([init.signal, timeout]) : timeout;
  let response: Response;
  let text: string;
  try {
    response = await fetch(path, { ...init, signal });
    text = await response.text();
  } catch (error) {
    if (init.signal?.aborted) throw error;
    throw new Unreachable();
  }
  const data = parsed(text);
  if (response.ok) return { data: data as T, response };
  const { error, field, fix } = (data ?? {}) as { error?: string; field?: string; fix?: string };
  throw new ApiError(
    response.status,
    error || `The server answered ${response.status}.`,
    field || undefined,
    fix || undefined,
  );
}

function parsed(text: string): unknown {
  try {
    return text ? JSON.parse(text) : undefined;
  } catch {
    return undefined; // a proxy's page of HTML, say
  }
}

/** Where the token for a request comes from. */
export interface TokenSource {
  /** fresh: the one before was refused. */
  token(fresh?: boolean): Promise<string>;
}

/** Makes requests of one user's. device names this page: the hub sends it no echo of its own changes. */
function createCall(tokens: TokenSource, device: string) {
  return async function call<T>(method: string, path: string, body?: unknown, signal?: AbortSignal): Promise<T> {
    const attempt = async (fresh: boolean) => {
      const headers: Record<string, string> = {
        Authorization: `Bearer ${await tokens.token(fresh)}`,
        "X-Device": device,
      };
      if (body !== undefined) headers["Content-Type"] = "application/json";
      const init: RequestInit = { method, headers };
      if (body !== undefined) init.body = JSON.stringify(body);
      if (signal) init.signal = signal;
      return (await request<T>(`/api${path}`, init)).data;
    };
    try {
      return await attempt(false);
    } catch (error) {
      if (!(error instanceof ApiError) || error.status !== 401) throw error;
      return attempt(true);
    }
  };
}

export type Api = ReturnType<typeof createApi>;

/** The server's API for one user, on the page of that name. */
export function createApi(tokens: TokenSource, device: string) {
  const call = createCall(tokens, device);
  const get = <T>(path: string, signal?: AbortSignal) => call<T>("GET", path, undefined, signal);
  const post = <T>(path: string, body: unknown = {}) => call<T>("POST", path, body);
  const at = encodeURIComponent;
  type Accepted = { jobId: string };

  return {
    bootstrap: () => get<{ user: string; cursor: Cursor }>("/bootstrap"),

    pending: (signal?: AbortSignal) => get<PendingOrder[]>("/orders", signal),
    createPending: (order: OrderInput) => post<PendingOrder>("/orders", order),
    updatePending: (id: string, order: OrderInput) => call<PendingOrder>("PUT", `/orders/${at(id)}`, order),
    deletePending: (ids: string[]) => call<{ count: number }>("DELETE", "/orders", { ids }),
    batchPending: (orders: (OrderInput & { id?: string })[]) => post<PendingOrder[]>("/orders/batch", { orders }),
    submit: (id: string) => post<Accepted>(`/orders/${at(id)}/submit`),

    submitted: (signal?: AbortSignal) => get<SubmittedOrder[]>("/submitted", signal),
    editSubmitted: (id: string, note: string) => post<Accepted>(`/submitted/${at(id)}/edit`, { note }),
    deleteSubmitted: (id: string) => post<Accepted>(`/submitted/${at(id)}/delete`),
    sendToVerona: (id: string) => post<Accepted>(`/submitted/${at(id)}/verona`),

    history: (limit: number, offset: number, signal?: AbortSignal) =>
      get<HistoryPage>(`/history?limit=${limit}&offset=${offset}`, signal),
    createHistory: (record: HistoryInput) => post<HistoryRecord>("/history", record),
    updateHistory: (id: string, record: HistoryInput) => call<HistoryRecord>("PUT", `/history/${at(id)}`, record),
    deleteHistory: (id: string) => call<unknown>("DELETE", `/history/${at(id)}`),
    editHistoryInErp: (id: string, record: HistoryInput) => post<Accepted>(`/history/${at(id)}/edit-erp`, record),
    deleteHistoryInErp: (id: string) => post<Accepted>(`/history/${at(id)}/delete-erp`),
    importHistory: (rows: HistoryInput[]) => post<{ count: number }>("/history/import", { rows }),

    customers: (signal?: AbortSignal) => get<Customer[]>("/customers", signal),
    updateCustomer: (id: string, customer: CustomerInput) => post<Accepted>(`/customers/${at(id)}/update`, customer),

    notifications: (signal?: AbortSignal) => get<Notifications>("/notifications", signal),
    readNotification: (id: string) => post<Unread>(`/notifications/${at(id)}/read`),
    readAllNotifications: () => post<Unread>("/notifications/read-all"),

    jobs: (signal?: AbortSignal) => get<Job[]>("/jobs", signal),
    cancelJob: (id: string) => post<unknown>(`/jobs/${at(id)}/cancel`),
    retryJob: (id: string) => post<Accepted>(`/jobs/${at(id)}/retry`),

    syncs: (signal?: AbortSignal) => get<SyncState[]>("/syncs", signal),
    sync: (type: SyncType, note: string) => post<Accepted>(`/syncs/${type}`, note ? { note } : {}),

    monitor: (signal?: AbortSignal) => get<HubStats>("/monitor", signal),
    logout: () => post<unknown>("/logout"),
  };
}
