import { until } from "../../../../../js/e2e/kit/until.ts";
import type { Customer, HistoryRecord, Notification, PendingOrder, SubmittedOrder } from "../../src/events.gen.ts";
import type { Server } from "./server.ts";

export interface Job {
  id: string;
  type: string;
  entityId: string;
  entityName: string;
  status: "queued" | "running" | "retrying" | "completed" | "failed" | "cancelled";
  progress: number;
  label: string;
  error: string | null;
  attempt: number;
  originalJobId: string | null;
}

export interface Sync {
  syncType: string;
  lastCompletedAt: string | null;
  rows: number;
}

/** A draft of an order. */
export interface Draft {
  customerId: string;
  lines: { product: string; quantity: number; priceCents: number }[];
  note: string;
}

/**
 * What the server says, asked without a page and past every network that fails: the truth
 * that screens are compared with. It is a device of its own too, which can do things.
 */
export class Truth {
  readonly user: string;
  readonly #server: Server;
  token = "";

  constructor(server: Server, user: string) {
    this.#server = server;
    this.user = user;
  }

  async login(): Promise<this> {
    const response = await this.request("POST", "/api/login", { user: this.user });
    this.token = ((await response.json()) as { token: string }).token;
    return this;
  }

  async request(method: string, path: string, body?: unknown): Promise<Response> {
    return fetch(this.#server.origin + path, {
      method,
      headers: {
        "Content-Type": "application/json",
        "X-Device": "truth",
        ...(this.token && { Authorization: `Bearer ${this.token}` }),
      },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
  }

  async ask<T>(method: string, path: string, body?: unknown): Promise<T> {
    const response = await this.request(method, path, body);
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${await response.text()}`);
    return (response.status === 204 ? undefined : await response.json()) as T;
  }

  get = <T>(path: string) => this.ask<T>("GET", path);
  post = <T>(path: string, body: unknown = {}) => this.ask<T>("POST", path, body);

  orders = () => this.get<PendingOrder[]>("/api/orders");
  submitted = () => this.get<SubmittedOrder[]>("/api/submitted");
  history = () => this.get<{ total: number; rows: HistoryRecord[] }>("/api/history?limit=50&offset=0");
  customers = () => this.get<Customer[]>("/api/customers");
  notifications = () => this.get<{ unread: number; rows: Notification[] }>("/api/notifications");
  jobs = () => this.get<Job[]>("/api/jobs");
  syncs = () => this.get<Sync[]>("/api/syncs");

  async job(id: string): Promise<Job> {
    const job = (await this.jobs()).find((one) => one.id === id);
    if (!job) throw new Error(`no job ${id}`);
    return job;
  }

  /** Where the user's events have got to. */
  async cursor(): Promise<{ epoch: string; lastEventTs: string }> {
    return (await this.get<{ cursor: { epoch: string; lastEventTs: string } }>("/api/bootstrap")).cursor;
  }

  /** The newest job of a type. */
  async newest(type: string): Promise<Job | undefined> {
    return (await this.jobs()).find((job) => job.type === type);
  }

  /** Waits until a job is as it should be. */
  untilJob(id: string, good: (job: Job) => boolean, what: string, limitMs?: number): Promise<Job> {
    return until(() => this.job(id), good, `job ${id} to ${what}`, limitMs);
  }

  /** Waits until no job is queued or runs. */
  async idle(limitMs?: number): Promise<Job[]> {
    return until(
      () => this.jobs(),
      (jobs) => jobs.every(ended),
      `all jobs of ${this.user} to end`,
      limitMs,
    );
  }

  /** Adds a pending order. */
  async order(note: string): Promise<PendingOrder> {
    const [customer] = await this.customers();
    return this.post<PendingOrder>("/api/orders", draft(customer?.id ?? "", note));
  }
}

export const ended = (job: Job) => ["completed", "failed", "cancelled"].includes(job.status);

export const draft = (customerId: string, note: string): Draft => ({
  customerId,
  lines: [{ product: "Proof", quantity: 2, priceCents: 1250 }],
  note,
});
