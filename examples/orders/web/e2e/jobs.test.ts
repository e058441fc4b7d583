import { expect, test } from "vitest";
import { until } from "../../../../js/e2e/kit/until.ts";
import type { Device } from "./kit/device.ts";
import type { Truth } from "./kit/truth.ts";
import { World } from "./kit/world.ts";

// Every way a job can go, as the screen of another device shows it.

async function submit(truth: Truth, note: string): Promise<string> {
  const order = await truth.order(note);
  return (await truth.post<{ jobId: string }>(`/api/orders/${order.id}/submit`)).jobId;
}

/** Cancels a job, as a person does. */
async function cancel(device: Device, jobId: string) {
  await (await device.jobRow(jobId)).getByRole("button", { name: "Cancel" }).click();
}

/** Waits until a job is shown so, and the server says the same. */
async function shown(device: Device, truth: Truth, jobId: string, status: string) {
  await until(
    async () => (await device.jobRow(jobId)).getAttribute("data-status"),
    (seen) => seen === status,
    `job ${jobId} to be shown as ${status}`,
    60_000,
  );
  expect((await truth.job(jobId)).status).toBe(status);
}

/** The last events of a job that a device has heard. */
const ends = (device: Device, jobId: string) =>
  device.events
    .filter(({ type, payload }) => /^JOB_(COMPLETED|FAILED|CANCELLED)$/.test(type) && payload.jobId === jobId)
    .map(({ type }) => type);

test("refused for good, retried by hand; failed once and done at the second attempt", async () => {
  const world = await World.open();
  const truth = await world.truth();
  const device = await world.device();
  await device.open("Pending");
  const refused = await submit(truth, "#fail");
  await shown(device, truth, refused, "failed");
  const { error } = await truth.job(refused);
  expect(error).toBeTruthy();
  const row = await device.jobRow(refused);
  expect(await row.textContent()).toContain(error);

  // The device that retries hears no echo of it, and shows it all the same.
  await row.getByRole("button", { name: "Retry" }).click();
  const retried = await until(
    async () => (await truth.jobs()).find(({ originalJobId }) => originalJobId === refused)?.id,
    Boolean,
    "another job instead of the refused one",
  );
  const second = retried ?? "";
  await shown(device, truth, second, "failed");
  await row.getByText("Was started again: failed").waitFor();

  const flaky = await submit(truth, "#flaky");
  await device.hears("JOB_RETRYING", ({ payload }) => payload.jobId === flaky);
  await shown(device, truth, flaky, "completed");
  expect((await truth.job(flaky)).attempt).toBe(2);

  await truth.idle();
  await device.reaches((await truth.cursor()).lastEventTs);
  expect(ends(device, refused)).toEqual(["JOB_FAILED"]);
  expect(ends(device, second)).toEqual(["JOB_FAILED"]);
  expect(ends(device, flaky)).toEqual(["JOB_COMPLETED"]);
  await device.agrees(truth);
});

test("cancelled while it waits, and while it runs; what never answers times out", async () => {
  const world = await World.open();
  const truth = await world.truth();
  const device = await world.device();
  await device.open("Pending");
  const running = await submit(truth, "#slow");
  const queued = await submit(truth, "behind it");
  await device.hears("JOB_PROGRESS", ({ payload }) => payload.jobId === running);
  await cancel(device, queued);
  await shown(device, truth, queued, "cancelled");
  await cancel(device, running);
  await shown(device, truth, running, "cancelled");

  const silent = await submit(truth, "#hang");
  const after = await submit(truth, "behind what hangs");
  await shown(device, truth, silent, "failed");
  await shown(device, truth, after, "completed");
  await truth.idle();
  await device.reaches((await truth.cursor()).lastEventTs);
  expect([running, queued, silent, after].map((id) => ends(device, id))).toEqual([
    ["JOB_CANCELLED"],
    ["JOB_CANCELLED"],
    ["JOB_FAILED"],
    ["JOB_COMPLETED"],
  ]);
  await device.agrees(truth);
});
