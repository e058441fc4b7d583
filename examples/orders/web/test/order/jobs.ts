import type { SubmittedOrder } from "../../src/events.gen.ts";
import type { Job } from "../../src/jobs.ts";
import { submittedOrder } from "../kit.ts";
import type { Server, Told } from "./server.ts";

// What jobs do to the rows, and tell: as in the Go package jobs.

/** Locks what a job works on, and returns what is told of it; the end of an enqueueing, but for JOB_QUEUED. */
export function begin(server: Server, { id: jobId, type, entityId: id }: Job): Told[] {
  switch (type) {
    case "submitOrder":
      return [orderTold(server.change("pending", id, { status: "submitting", jobId }))];
    case "editOrder":
      return [changedOrder(server.change("submitted", id, { status: "editing", jobId }))];
    case "deleteOrder":
      return [changedOrder(server.change("submitted", id, { status: "deleting", jobId }))];
    case "editHistory":
    case "deleteHistory":
      return [record(server, id, jobId)];
    case "updateCustomer":
      server.change("customers", id, { jobId });
  }
  return [];
}

const orderTold = (order: ReturnType<Server["pending"]["get"]> & object): Told => ({
  type: "PENDING_UPDATED",
  payload: { orderIds: [order.id], count: 1, orders: [order] },
});

const changedOrder = (order: SubmittedOrder): Told => ({
  type: "ORDER_UPDATED",
  payload: { orderId: order.orderId, order },
});

const record = (server: Server, id: string, jobId: string | null, to = {}): Told => ({
  type: "FRESIS_HISTORY_UPDATED",
  payload: { recordId: id, record: server.change("history", id, { ...to, jobId }) },
});

/** A job is done. */
export function done(server: Server, job: Job): Told[] {
  const { id: jobId, type, entityId: id } = job;
  server.change("jobs", jobId, { status: "completed", progress: 100, error: null });
  const end: Told = { type: "JOB_COMPLETED", payload: { jobId, type, result: null } };
  switch (type) {
    case "submitOrder":
      return [...submitted(server, id), end];
    case "editOrder": {
      server.change("submitted", id, { note: server.id("note") });
      const order = server.change("submitted", id, { status: "submitted", jobId: null });
      return [{ type: "ORDER_EDIT_COMPLETE", payload: { orderId: id } }, changedOrder(order), end];
    }
    case "deleteOrder":
      server.submitted.delete(id);
      return [{ type: "ORDER_DELETE_COMPLETE", payload: { orderId: id } }, end];
    case "editHistory":
      return [record(server, id, null, { article: server.id("article") }), end];
    case "deleteHistory":
      server.history.delete(id);
      return [{ type: "FRESIS_HISTORY_DELETED", payload: { recordId: id } }, end];
    case "updateCustomer": {
      const customer = server.change("customers", id, { name: server.id("name"), jobId: null });
      return [{ type: "CUSTOMER_UPDATE_COMPLETED", payload: { customerId: id, customer } }, end];
    }
  }
  const syncType = id as "customers";
  return [{ type: "SYNC_COMPLETED", payload: { syncType, jobId, processed: 3, total: 3 } }, end];
}

function submitted(server: Server, pendingOrderId: string): Told[] {
  server.pending.delete(pendingOrderId);
  const orderId = server.id("o");
  const order = { ...submittedOrder(orderId, 0), updatedAt: server.make(orderId) };
  server.submitted.set(orderId, order);
  const orderNumber = server.id("26/");
  const { customerId, customerName } = server.change("submitted", orderId, { orderNumber });
  return [
    { type: "PENDING_SUBMITTED", payload: { pendingOrderId, orderId, order } },
    { type: "ORDER_NUMBERS_RESOLVED", payload: { pendingOrderId, orderId, orderNumber, customerId, customerName } },
    server.notify("submitted"),
  ];
}

/** A job has failed for good, or was cancelled. */
export function undone(server: Server, job: Job, status: "failed" | "cancelled"): Told[] {
  const { id: jobId, type, entityId: id } = job;
  server.change("jobs", jobId, { status, error: status === "failed" ? "no" : null });
  const end: Told =
    status === "failed"
      ? { type: "JOB_FAILED", payload: { jobId, type, error: "no" } }
      : { type: "JOB_CANCELLED", payload: { jobId, type } };
  switch (type) {
    case "submitOrder": {
      const told = orderTold(server.change("pending", id, { status: "failed", jobId }));
      return status === "failed" ? [told, server.notify("failed"), end] : [told, end];
    }
    case "editOrder":
    case "deleteOrder":
      return [changedOrder(server.change("submitted", id, { status: "submitted", jobId: null })), end];
    case "editHistory":
    case "deleteHistory":
      return [record(server, id, null), end];
    case "updateCustomer":
      server.change("customers", id, { jobId: null });
      return [{ type: "CUSTOMER_UPDATE_FAILED", payload: { customerId: id, error: "no" } }, end];
  }
  return [{ type: "SYNC_FAILED", payload: { syncType: id as "customers", jobId, error: "no" } }, end];
}

/** Something happens to a job. */
export function goOn(server: Server, job: Job): Told[] {
  const { id: jobId, type, entityId, entityName, status, attempt } = job;
  const of = { jobId, type, entityId, entityName };
  if (status === "queued" && !server.random(6)) return undone(server, job, "cancelled");
  if (status !== "running") {
    server.change("jobs", jobId, { status: "running", attempt: attempt + 1, error: null });
    return [{ type: "JOB_STARTED", payload: of }];
  }
  switch (server.random(7)) {
    case 0:
      server.change("jobs", jobId, { status: "retrying", error: "slow" });
      return [
        {
          type: "JOB_RETRYING",
          payload: { jobId, type, attempt: attempt + 1, maxAttempts: 9, delayMs: 10, error: "slow" },
        },
      ];
    case 1: // given back by a server that stops
      server.change("jobs", jobId, { status: "queued" });
      return [{ type: "JOB_QUEUED", payload: of }];
    case 2:
      return undone(server, job, server.random(2) ? "failed" : "cancelled");
    default:
      if (type === "syncCustomers") grow(server);
      return done(server, job);
  }
}

/** A sync changes rows of which nobody is told. */
function grow(server: Server) {
  const id = server.id("c");
  server.customers.set(id, {
    ...([...server.customers.values()][0] as object),
    id,
    updatedAt: server.make(id),
  } as never);
  for (const [one, { jobId }] of server.customers)
    if (!jobId) server.change("customers", one, { city: server.id("city") });
}
