import { expect, test } from "vitest";
import { addJob, afterJobEvent, changeJob, workOf } from "../src/jobs.ts";
import { at, job } from "./kit.ts";

test("a job that has ended has no bar, whatever progress is still known", () => {
  const live = { jobId: "j", progress: 80, label: "Saving" };
  for (const status of ["completed", "failed", "cancelled"] as const)
    expect(workOf("j", job("j", { status }), live)).toBeNull();
  expect(workOf(null, undefined, live)).toBeNull();
});

test("a bar shows the newest progress of its own job, and the list's where none has come", () => {
  const running = job("j", { status: "running", progress: 30, label: "Opening" });
  const live = { jobId: "j", progress: 80, label: "Saving" };
  expect(workOf("j", running, live)).toEqual({ jobId: "j", label: "Saving", value: 80 });
  expect(workOf("j", running, undefined)).toEqual({ jobId: "j", label: "Opening", value: 30 });
  // The value of a job before: its key is the row's.
  expect(workOf("j", running, { ...live, jobId: "before" })).toEqual({ jobId: "j", label: "Opening", value: 30 });
  expect(workOf("j", undefined, undefined)).toEqual({ jobId: "j", label: "At work", value: undefined });
});

test("a job that waits has a bar without a figure, which says why", () => {
  const live = { jobId: "j", progress: 80, label: "Saving" };
  const waits = { jobId: "j", label: "Waits for its turn", value: undefined };
  expect(workOf("j", job("j"), undefined)).toEqual(waits);
  expect(workOf("j", job("j"), { ...live, jobId: "before" })).toEqual(waits);
  // The list has not heard that it began.
  expect(workOf("j", job("j"), live)).toEqual({ jobId: "j", label: "Saving", value: 80 });
  const retrying = job("j", { status: "retrying", error: "no answer" });
  expect(workOf("j", retrying, live)).toEqual({ jobId: "j", label: "Tries again: no answer", value: undefined });
});

test("the list has a job once, and at most fifty", () => {
  const fifty = Array.from({ length: 50 }, (_, i) => job(`j${i}`));
  expect(addJob(fifty, job("j3"))).toEqual({ data: fifty, sure: true });
  const { data, sure } = addJob(fifty, job("new"));
  expect(data.map(({ id }) => id)).toEqual(["new", ...fifty.slice(0, 49).map(({ id }) => id)]);
  // The one that goes is queued: there may be others beyond the list.
  expect(sure).toBe(false);
  expect(addJob(fifty.with(49, job("old", { status: "failed" })), job("new")).sure).toBe(true);
  const ended = [job("a", { status: "failed", error: "no" })];
  expect(changeJob(ended, "a", { status: "running" })).toEqual(ended);
});

test("JOB_QUEUED of a job that is known changes nothing; if it goes on, it is asked whether it was given back", () => {
  const payload = { jobId: "j", type: "submitOrder", entityId: "p1", entityName: "Ada" };
  for (const status of ["running", "retrying", "completed"] as const) {
    const jobs = [job("j", { status, progress: 40 })];
    expect(afterJobEvent(jobs, "JOB_QUEUED", payload, at(9))).toEqual({ data: jobs, sure: status === "completed" });
  }
});
