import type { Locator } from "playwright-core";
import { until } from "../../../../../js/e2e/kit/until.ts";
import type { Device, Tab } from "./device.ts";
import { ended, type Job, type Truth } from "./truth.ts";

/** Something that a person does on a device, all by the page. */
export interface Act {
  name: string;
  tab: Tab;
  /** What the other device has open over its page. */
  beside?: "Jobs" | "Notifications";
  act(device: Device, truth: Truth): Promise<void>;
}

/** The first row of the page, or the first that says something. */
export function row(device: Device, text?: string): Locator {
  const rows = device.page.locator("main tr[data-id]");
  return (text ? rows.filter({ hasText: text }) : rows).first();
}

/** Starts something that becomes a job of a type, and waits for that job. */
export async function begins(truth: Truth, type: string, start: () => Promise<unknown>): Promise<Job> {
  const before = (await truth.newest(type))?.id;
  await start();
  const job = await until(
    () => truth.newest(type),
    (newest) => newest && newest.id !== before,
    `${type} to be queued`,
  );
  return job as Job;
}

/** The same, and waits until the job has ended. */
export async function works(truth: Truth, type: string, start: () => Promise<unknown>): Promise<Job> {
  const { id } = await begins(truth, type, start);
  return truth.untilJob(id, ended, "end");
}

/** Starts a job that is slow, and cancels it by a button. */
export async function cancelled(
  truth: Truth,
  type: string,
  start: () => Promise<unknown>,
  cancel: () => Promise<unknown>,
) {
  const { id } = await begins(truth, type, start);
  await truth.untilJob(id, ({ progress }) => progress > 0, "get on");
  await cancel();
  await truth.untilJob(id, ({ status }) => status === "cancelled", "be cancelled");
}
