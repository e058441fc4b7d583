import { expect, test } from "vitest";
import type { EventMap } from "../src/events.gen.ts";
import { hidesAt, lingerMs, noSyncs, reduceSyncs, type SyncAction, type Syncs, summarize } from "../src/syncs.ts";
import { job } from "./kit.ts";

const after = (...actions: SyncAction[]) => actions.reduce(reduceSyncs, noSyncs);
const event = <K extends keyof EventMap>(type: K, payload: EventMap[K], now = 0): SyncAction => ({
  kind: "event",
  type,
  payload,
  now,
});
const progress = (percent: number, now = 0, to: Partial<EventMap["SYNC_PROGRESS"]> = {}) =>
  event(
    "SYNC_PROGRESS",
    {
      syncType: "customers",
      jobId: "j1",
      processed: percent * 20,
      total: 2_000,
      percent,
      label: "Fetching",
      etaMs: 9_000,
      ...to,
    },
    now,
  );
const completed = (now = 0, jobId = "j1", syncType: "customers" | "prices" = "customers") =>
  event("SYNC_COMPLETED", { syncType, jobId, processed: 2_000, total: 2_000 }, now);
const queued = (jobId = "j1", type = "syncCustomers") =>
  event("JOB_QUEUED", { jobId, type, entityId: "", entityName: "" });
const say = (syncs: Syncs, now = 0) => {
  const summary = summarize(syncs, now);
  return summary && `${summary.tone} ${summary.percent}: ${summary.title}; ${summary.detail}`;
};

test("one sync, from the queue to the end, after which the banner hides itself", () => {
  expect(say(noSyncs)).toBeNull();
  let syncs = after(queued());
  expect(say(syncs)).toBe("running 0: Sync of customers is queued; ");
  syncs = reduceSyncs(syncs, progress(40, 1_000));
  expect(say(syncs)).toBe("running 40: Syncing customers; 800 of 2,000");
  expect(summarize(syncs, 3_000)?.etaMs).toBe(7_000); // two seconds of nine have passed
  expect(summarize(syncs, 99_000)?.etaMs).toBe(0);
  expect(hidesAt(syncs)).toBe(Number.POSITIVE_INFINITY);
  syncs = reduceSyncs(syncs, completed(5_000));
  expect(say(syncs)).toBe("done 100: Synced customers; 2,000 records");
  expect(hidesAt(syncs)).toBe(5_000 + lingerMs);
  syncs = reduceSyncs(syncs, { kind: "tick", now: 5_000 + lingerMs - 1 });
  expect(say(syncs)).not.toBeNull();
  syncs = reduceSyncs(syncs, { kind: "tick", now: 5_000 + lingerMs });
  expect(say(syncs)).toBeNull();
});

test("several syncs are one banner, which stays until the last has ended", () => {
  let syncs = after(queued(), queued("j2", "syncPrices"), progress(50));
  expect(say(syncs)).toBe("running 25: Syncing customers; 0 of 2 done · 1,000 of 2,000 · 1 waiting");
  syncs = reduceSyncs(syncs, completed(1_000));
  expect(hidesAt(syncs)).toBe(Number.POSITIVE_INFINITY);
  expect(say(syncs)).toBe("running 50: Sync of prices is queued; 1 of 2 done");
  syncs = reduceSyncs(syncs, progress(50, 2_000, { syncType: "prices", jobId: "j2", total: 8_000, processed: 4_000 }));
  expect(say(syncs)).toBe("running 75: Syncing prices; 1 of 2 done · 4,000 of 8,000");
  syncs = reduceSyncs(syncs, completed(3_000, "j2", "prices"));
  expect(say(syncs)).toBe("done 100: Synced customers and prices; 4,000 records");
});

test("JOB_QUEUED of a run that is known comes late, and says nothing", () => {
  expect(say(after(progress(40), queued()))).toBe("running 40: Syncing customers; 800 of 2,000");
  expect(summarize(after(progress(40), queued()), 0)?.etaMs).toBe(9_000);
  const of = { jobId: "j1", type: "syncCustomers", entityId: "", entityName: "" };
  expect(say(after(queued(), event("JOB_STARTED", of), queued()))).toBe("running 0: Syncing customers; ");
});

test("a bar is never stuck: what comes late does not begin an ended sync again", () => {
  const end = after(progress(50), completed(1_000), progress(60, 1_001), queued());
  expect(say(end)).toBe("done 100: Synced customers; 2,000 records");
  const stale = reduceSyncs(end, {
    kind: "jobs",
    jobs: [job("j1", { type: "syncCustomers", status: "running" })],
    now: 2_000,
  });
  expect(say(stale)).toBe("done 100: Synced customers; 2,000 records");
  const hidden = reduceSyncs(stale, { kind: "tick", now: 1_000 + lingerMs });
  expect(say(reduceSyncs(hidden, progress(70, 9_999)))).toBeNull();
});

test("the list of jobs begins what was running when the page was loaded", () => {
  const jobs = [
    job("j1", { type: "syncCustomers", status: "running", progress: 30 }),
    job("x"),
    job("j0", { type: "syncPrices", status: "completed" }),
  ];
  const syncs = after({ kind: "jobs", jobs, now: 0 });
  expect(say(syncs)).toBe("running 30: Syncing customers; ");
  // What events have told since is not undone by it.
  const later = reduceSyncs(reduceSyncs(syncs, progress(60)), { kind: "jobs", jobs, now: 0 });
  expect(summarize(later, 0)?.percent).toBe(60);
});

test("the list of jobs ends what has ended in a gap", () => {
  for (const [status, want] of [
    ["completed", "done 100: Synced customers; 800 records"],
    ["failed", "failed 100: Sync of customers failed; no answer"],
    ["cancelled", "failed 100: Sync of customers cancelled; no answer"],
  ] as const) {
    const jobs = [job("j1", { type: "syncCustomers", status, error: "no answer" })];
    const syncs = after(progress(40), { kind: "jobs", jobs, now: 1_000 });
    expect(say(syncs)).toBe(want);
    expect(hidesAt(syncs)).toBe(1_000 + lingerMs);
  }
});

test("a retry is said, and goes on", () => {
  const retry = event("JOB_RETRYING", {
    jobId: "j1",
    type: "syncCustomers",
    attempt: 2,
    maxAttempts: 3,
    delayMs: 10,
    error: "slow",
  });
  const syncs = after(progress(40), retry);
  expect(say(syncs)).toBe("running 40: Retrying customers; 800 of 2,000");
  expect(summarize(syncs, 0)?.etaMs).toBeNull();
  expect(say(reduceSyncs(syncs, progress(45)))).toBe("running 45: Syncing customers; 900 of 2,000");
});

test("SYNC_FAILED of a job that was cancelled: JOB_CANCELLED, which follows, says so", () => {
  const failed = event("SYNC_FAILED", { syncType: "customers", jobId: "j1", error: "it was cancelled" }, 1_000);
  expect(say(after(progress(40), failed))).toBe("failed 100: Sync of customers failed; it was cancelled");
  const cancelled = event("JOB_CANCELLED", { jobId: "j1", type: "syncCustomers" }, 1_100);
  expect(say(after(progress(40), failed, cancelled))).toBe("failed 100: Sync of customers cancelled; it was cancelled");
});

test("a new sync takes the banner of an ended one over", () => {
  const syncs = after(progress(40), completed(1_000), progress(10, 2_000, { syncType: "prices", jobId: "j2" }));
  expect(say(syncs)).toBe("running 10: Syncing prices; 200 of 2,000");
  expect(syncs.runs).toHaveLength(1);
});

test("jobs that sync nothing are no syncs", () => {
  expect(after(queued("x", "submitOrder"), { kind: "jobs", jobs: [job("x")], now: 0 }).runs).toEqual([]);
});

test("the end of a sync that nobody has seen does not hide the next one of its type", () => {
  const syncs = after(progress(10, 0, { jobId: "j2" }), completed(1, "j1"));
  expect(say(syncs)).toBe("running 10: Syncing customers; 200 of 2,000");
});

test("what the list says has ended does not begin by an event that comes late", () => {
  const jobs = [job("j1", { type: "syncCustomers", status: "completed" })];
  expect(say(after({ kind: "jobs", jobs, now: 0 }, progress(50), queued()))).toBeNull();
});

test("what a sync has got is told, also after JOB_COMPLETED", () => {
  const end = event("JOB_COMPLETED", { jobId: "j1", type: "syncCustomers", result: null }, 1_000);
  expect(say(after(progress(40), end, completed(1_001)))).toBe("done 100: Synced customers; 2,000 records");
});
