import { expect, test } from "vitest";
import { until } from "../../../../js/e2e/kit/until.ts";
import type { Device } from "./kit/device.ts";
import { ended } from "./kit/truth.ts";
import { World } from "./kit/world.ts";

// Bars after a reconnect: right within a second of it, and gone when the work is over.

/** Says what a browser says when its network is back. */
const online = ({ page }: Device) => page.evaluate(() => void window.dispatchEvent(new Event("online")));

test("a bar is right within a second of the reconnect, while the job goes on", async () => {
  const world = await World.open();
  const truth = await world.truth();
  const device = await world.device();
  await device.open("Pending");
  const order = await truth.order("#slow and seen again");
  const { jobId } = await truth.post<{ jobId: string }>(`/api/orders/${order.id}/submit`);
  await until(
    () => device.bar(order.id),
    (bar) => bar !== null && bar >= 5,
    "the job's bar",
  );
  device.cut();
  const stale = await truth.untilJob(jobId, ({ progress }) => progress >= 20, "get on");
  const left = (await device.bar(order.id)) ?? 0;
  await truth.untilJob(jobId, ({ progress }) => progress >= stale.progress + 15, "get further");
  expect(await device.bar(order.id)).toBe(left); // nothing told it

  const heard = device.frames.length;
  device.heal();
  await online(device); // or it waits for its next attempt, and the job may be over by then
  await device.live(heard);
  // The server goes on meanwhile: asked before and after, the bar is between.
  await until(
    async () => {
      const before = (await truth.job(jobId)).progress;
      const bar = await device.bar(order.id);
      const after = (await truth.job(jobId)).progress;
      return { before, bar, after };
    },
    ({ before, bar, after }) => (bar === null ? after === 100 : bar >= before && bar <= after),
    "the bar to be as the server says",
    1_000,
  );
  expect((await device.bar(order.id)) ?? 100).toBeGreaterThan(left);
  await truth.untilJob(jobId, ended, "end");
  await until(
    () => device.bar(order.id),
    (bar) => bar === null,
    "the bar to be gone",
  );
});

test("what ended while a device was away is over on its screen, within a second of the reconnect", async () => {
  const world = await World.open();
  const truth = await world.truth();
  const device = await world.device();
  await device.open("Pending");
  const order = await truth.order("#slow and stopped");
  const { jobId } = await truth.post<{ jobId: string }>(`/api/orders/${order.id}/submit`);
  await until(
    () => device.bar(order.id),
    (bar) => bar !== null && bar >= 5,
    "the job's bar",
  );
  device.cut();
  await truth.post(`/api/jobs/${jobId}/cancel`);
  await truth.untilJob(jobId, ({ status }) => status === "cancelled", "be cancelled");
  const sync = await truth.post<{ jobId: string }>("/api/syncs/products", { note: "#slow" });
  await truth.untilJob(sync.jobId, ({ progress }) => progress >= 10, "get on");
  expect(await device.bar(order.id)).toBeGreaterThanOrEqual(5); // nothing told it

  const heard = device.frames.length;
  device.heal();
  await online(device);
  await device.live(heard);
  await until(
    async () => ({ over: await device.bar(order.id), on: await device.syncBar() }),
    ({ over, on }) => over === null && on !== null && on >= 10,
    "the bar of what ended to be gone, and that of what began to be there",
    1_000,
  );
  device.cut();
  await truth.post(`/api/jobs/${sync.jobId}/cancel`);
  await truth.untilJob(sync.jobId, ended, "end");
  const again = device.frames.length;
  device.heal();
  await device.live(again);
  await until(
    () => device.syncBar(),
    (bar) => bar === null,
    "the sync's bar to be gone",
    1_000,
  );
});
