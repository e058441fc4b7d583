import { isActive, type Job } from "../../src/jobs.ts";
import { isOver, syncTypeOf } from "../../src/syncs.ts";
import type { Page } from "./page.ts";
import type { Server } from "./server.ts";

/** By ID: the server sorts customers by name, and the page does that itself; jobs are told in any order, and nothing says which was first. */
const byId = <T extends { id: string }>(rows: readonly T[]) => rows.toSorted((a, b) => (a.id < b.id ? -1 : 1));

/** Without what progress, the hub's time and an attempt's number say: the list of the page is not about these. */
const jobRow = ({ id, type, entityId, status, error, originalJobId, attempt }: Job) => ({
  id,
  type,
  entityId,
  status,
  error,
  originalJobId,
  ...(status === "retrying" && { attempt }),
});

/** The number of an order comes without the time of that change. */
const untimed = <T extends { updatedAt: string }>({ updatedAt: _, ...row }: T) => row;

/** What the page shows. */
export function shownOf(page: Page, server: Server) {
  return {
    pending: page.shown("pending"),
    submitted: page.shown("submitted").map(untimed),
    history: page.trusted().map((offset) => page.shownHistory(offset)),
    // No event says that work on a customer has begun.
    customers: byId(page.shown("customers")).filter(({ id }) => !server.customers.get(id)?.jobId),
    notifications: page.shownNotifications(),
    jobs: byId(page.shown("jobs")).map(jobRow),
    syncs: page.syncs.runs
      .filter((run) => !isOver(run))
      .map(({ jobId, phase }) => `${jobId} ${phase === "retrying" ? phase : ""}`)
      .sort(),
  };
}

/** What it should show. */
export function truthOf(page: Page, server: Server): ReturnType<typeof shownOf> {
  const { pending, submitted, customers, notifications, jobs, history } = server.lists();
  return {
    pending,
    submitted: submitted.map(untimed),
    history: page.trusted().map((offset) => history(offset)),
    customers: byId(customers).filter(({ jobId }) => !jobId),
    notifications,
    jobs: byId(jobs).map(jobRow),
    syncs: [...server.jobs.values()]
      .filter((job) => syncTypeOf(job.type) && isActive(job))
      .map(({ id, status }) => `${id} ${status === "retrying" ? status : ""}`)
      .sort(),
  };
}
