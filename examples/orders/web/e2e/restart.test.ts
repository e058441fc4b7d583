import { expect, test } from "vitest";
import { until } from "../../../../js/e2e/kit/until.ts";
import { ended } from "./kit/truth.ts";
import { World } from "./kit/world.ts";

// The server dies, and what was under way goes on.

test("killed in the middle of a job and started again: one notice, right data, one last event", async () => {
  const world = await World.open();
  const truth = await world.truth();
  const device = await world.device();
  await device.open("Pending");
  const order = await truth.order("#slow to be killed");
  const { jobId } = await truth.post<{ jobId: string }>(`/api/orders/${order.id}/submit`);
  await device.hears("JOB_PROGRESS", ({ payload }) => payload.jobId === jobId && Number(payload.progress) >= 10);
  await until(
    () => device.bar(order.id),
    (bar) => bar !== null && bar >= 10,
    "the job's bar",
  );

  device.disturbed();
  const [asked, heard] = [device.requests.length, device.frames.length];
  await world.server.stop("SIGKILL");
  await world.server.start();
  await device.live(heard);
  const hello = device.frames.slice(heard).find(({ type }) => type === "hub.hello");
  expect(hello?.payload).toMatchObject({ verdict: "gap" });
  await device.saysGap();
  await until(
    () => device.requests.slice(asked).filter(({ path, status }) => path === "/api/orders" && status === 200).length,
    (count) => count >= 1,
    "the orders to be fetched again",
  );

  // The same job, no other, and it ends.
  const job = await truth.untilJob(jobId, ended, "end", 60_000);
  expect(job).toMatchObject({ status: "completed", progress: 100 });
  expect((await truth.jobs()).filter(({ type }) => type === "submitOrder")).toHaveLength(1);
  await device.hears("JOB_COMPLETED", ({ payload }) => payload.jobId === jobId);
  await device.reaches((await truth.cursor()).lastEventTs);
  const ends = device.events.filter(
    ({ type, payload }) => ["JOB_COMPLETED", "JOB_FAILED", "JOB_CANCELLED"].includes(type) && payload.jobId === jobId,
  );
  expect(ends.map(({ type }) => type)).toEqual(["JOB_COMPLETED"]);
  expect(device.events.filter(({ type }) => type === "PENDING_SUBMITTED")).toHaveLength(1);

  // Nothing is there twice, on the server or on the screen.
  expect((await truth.submitted()).filter(({ note }) => note === order.note)).toHaveLength(1);
  expect((await truth.orders()).filter(({ id }) => id === order.id)).toEqual([]);
  await until(
    () => device.bar(order.id),
    (bar) => bar === null,
    "the job's bar to be gone",
  );
  await device.agrees(truth);
});
