import { expect, test } from "vitest";
import { until } from "../../../../js/e2e/kit/until.ts";
import type { Truth } from "./kit/truth.ts";
import { World } from "./kit/world.ts";

// The number of unread notifications, which a replay must not double.

/** Makes a notification: an import of one row tells of itself. */
const notify = (truth: Truth) =>
  truth.post("/api/history/import", {
    rows: [{ customerName: "Ada", article: "Paper", quantity: 1, revenueCents: 100 }],
  });

test("ten cuts, with notifications before, during and after each: the counter is the server's", async () => {
  const world = await World.open();
  const truth = await world.truth();
  const device = await world.device();
  for (let i = 0; i < 10; i++) {
    await notify(truth);
    const heard = device.frames.length;
    device.cut();
    await notify(truth);
    if (i % 3 === 2) {
      const { rows } = await truth.notifications();
      await truth.post(`/api/notifications/${rows[0]?.id}/read`);
    }
    device.heal();
    await Promise.all([notify(truth), device.tryNow()]);
    await device.live(heard);
    const { unread } = await truth.notifications();
    await until(
      () => device.unread(),
      (shown) => shown === unread,
      `the counter to say ${unread} after cut ${i + 1}`,
    );
  }
  expect((await truth.notifications()).unread).toBeGreaterThan(20);
  await device.reaches((await truth.cursor()).lastEventTs);
  expect(await device.unread()).toBe((await truth.notifications()).unread);
  await truth.post("/api/notifications/read-all");
  await until(
    () => device.unread(),
    (shown) => shown === 0,
    "nothing to be unread",
  );
});
