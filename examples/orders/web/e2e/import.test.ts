import { expect, test } from "vitest";
import { World } from "./kit/world.ts";

// Many rows at once: no storm of events, none of requests.

test("an import of 500 rows is two events, and at most two requests on the other device", async () => {
  const world = await World.open();
  const truth = await world.truth();
  const [first, second] = [await world.device(), await world.device()];
  await Promise.all([first.open("History"), second.open("History")]);
  await second.agrees(truth);
  const before = await truth.history();
  const [heard, asked] = [second.events.length, second.requests.length];

  await first.press("Import");
  await first.press("Import 500 invented records");
  await first.closes();
  await second.hears("NOTIFICATION_NEW");
  await second.agrees(truth);
  expect((await truth.history()).total).toBe(before.total + 500);
  await second.reaches((await truth.cursor()).lastEventTs);
  expect(second.events.slice(heard).map(({ type }) => type)).toEqual([
    "FRESIS_HISTORY_BULK_IMPORTED",
    "NOTIFICATION_NEW",
  ]);
  const requests = second.requests.slice(asked).map(({ path }) => path);
  expect(requests.length).toBeGreaterThan(0);
  expect(requests.length, requests.join(" ")).toBeLessThanOrEqual(2);
});
