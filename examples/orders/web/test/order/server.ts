import type { HistoryPage, Notifications } from "../../src/api.ts";
import type { Customer, EventMap, HistoryRecord, PendingOrder, SubmittedOrder } from "../../src/events.gen.ts";
import { isActive, type Job, newJob } from "../../src/jobs.ts";
import { historyLimit } from "../../src/queries.ts";
import { micros } from "../../src/rows.ts";
import { at, customer } from "../kit.ts";

/** An event that is to be heard. */
export type Told = { [K in keyof EventMap]: { readonly type: K; readonly payload: EventMap[K] } }[keyof EventMap];

/** A whole number below another. */
export type Random = (below: number) => number;

/** What the page can ask for. */
export interface Lists {
  pending: PendingOrder[];
  submitted: SubmittedOrder[];
  customers: Customer[];
  notifications: Notifications;
  jobs: Job[];
  history(offset: number): HistoryPage;
}

type Changing = "pending" | "submitted" | "history" | "customers" | "jobs";

const start = at(0);

/**
 * The server's rows. They are replaced and never changed, so that what was answered stays.
 * Its processes have clocks of their own, which differ a little.
 */
export class Server {
  readonly pending = new Map<string, PendingOrder>();
  readonly submitted = new Map<string, SubmittedOrder>();
  readonly history = new Map<string, HistoryRecord>();
  readonly customers = new Map<string, Customer>();
  readonly jobs = new Map<string, Job>();
  notifications: Notifications = { unread: 0, revision: 0, rows: [] };
  readonly random: Random;
  #clock = 10;
  #ids = 0;
  /** When a row was made: lists are sorted by it, and no row says it. */
  readonly #made = new Map<string, number>();

  constructor(random: Random) {
    this.random = random;
    for (const id of ["c1", "c2", "c3"]) this.customers.set(id, customer(id, 1));
  }

  id = (prefix: string) => `${prefix}${String(++this.#ids).padStart(4, "0")}`;

  /** Notes that a row is made, and returns when. */
  make(id: string): string {
    this.#clock += 2;
    let now = this.#clock - this.random(8);
    if (now < 1 || [...this.#made.values()].includes(now)) now = ++this.#clock;
    this.#made.set(id, now);
    return at(now);
  }

  /** Changes a row, which is then later than it was. */
  change<K extends Changing, R extends ReturnType<Server[K]["get"]> & object>(table: K, id: string, to: Partial<R>): R {
    const rows = this[table] as unknown as Map<string, R & { updatedAt: string }>;
    const row = rows.get(id);
    if (!row) throw new Error(`no ${table} ${id}`);
    const before = micros(row.updatedAt) - micros(start);
    const now = { ...row, ...to, updatedAt: at(Math.max(before + 1, ++this.#clock - this.random(8))) };
    rows.set(id, now);
    return now;
  }

  /** Adds a job, at the end of the queue. */
  queue(type: string, entityId: string, entityName: string, originalJobId: string | null = null): Job {
    const id = this.id("j");
    const job = { ...newJob(id, { type, entityId, entityName }, this.make(id)), attempt: 0, originalJobId };
    this.jobs.set(id, job);
    return job;
  }

  notify(title: string): Told {
    const id = this.id("n");
    const notification = { id, title, body: "", read: false, createdAt: this.make(id) };
    const rows = [notification, ...this.notifications.rows]
      .sort((a, b) => micros(b.createdAt) - micros(a.createdAt))
      .slice(0, 100);
    const now = this.#count(rows);
    return { type: "NOTIFICATION_NEW", payload: { notification, ...now } };
  }

  /** ids: null: all. */
  read(ids: string[] | null): Told {
    const rows = this.notifications.rows.map((row) => (!ids || ids.includes(row.id) ? { ...row, read: true } : row));
    return { type: "NOTIFICATION_READ", payload: { ids: ids as string[], ...this.#count(rows) } };
  }

  #count(rows: Notifications["rows"]) {
    const now = { unread: rows.filter(({ read }) => !read).length, revision: this.notifications.revision + 1 };
    this.notifications = { ...now, rows };
    return now;
  }

  active = (type?: string) => [...this.jobs.values()].filter((job) => isActive(job) && (!type || job.type === type));

  /** What it would answer now. */
  lists(): Lists {
    const newest = <T>(rows: Map<string, T>) =>
      [...rows].sort(([a], [b]) => (this.#made.get(b) ?? 0) - (this.#made.get(a) ?? 0)).map(([, row]) => row);
    const history = newest(this.history);
    return {
      pending: newest(this.pending).slice(0, 500),
      submitted: newest(this.submitted).slice(0, 500),
      customers: [...this.customers.values()],
      notifications: this.notifications,
      jobs: [...this.jobs.values()].reverse().slice(0, 50),
      history: (offset) => ({ total: history.length, rows: history.slice(offset, offset + historyLimit) }),
    };
  }
}
