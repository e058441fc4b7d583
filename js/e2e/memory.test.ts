import type { CDPSession } from "playwright-core";
import { expect, test } from "vitest";
import { until } from "./kit/until.ts";
import { World } from "./kit/world.ts";

/** What is left on the page's heap after a collection, in bytes. */
async function heap(session: CDPSession): Promise<number> {
  // Twice: finalisers of the first let go of more.
  await session.send("HeapProfiler.collectGarbage");
  await session.send("HeapProfiler.collectGarbage");
  return (await session.send("Runtime.getHeapUsage")).usedSize;
}

test("memory is flat over 10,000 events, and over 20 connections", async () => {
  const world = await World.open("-buffer-size", "2000");
  const { server, user, network } = world;
  const device = await world.device({ keep: false });
  await device.live();
  const session = await device.cdp();
  const heard = () => device.page.evaluate(() => window.e2e.heard);
  let published = 0;
  async function publish(count: number) {
    const to = published + count;
    while (published < to) {
      // Of all kinds, and with ever new keys: values are kept of some of them only.
      await server.publish(
        user,
        Array.from({ length: 500 }, (_, i) => {
          const n = published + i;
          const payload = { n, text: "x".repeat(500) };
          if (n % 4 === 0) return { type: "JOB_PROGRESS", key: `job:${n}`, payload };
          if (n % 4 === 1) return { type: "JOB_COMPLETED", key: `job:${n - 1}`, payload };
          return { type: n % 4 === 2 ? "PENDING_CREATED" : "SYNC_PROGRESS", payload };
        }),
      );
      published += 500;
      // Transients and latest values of a burst may be skipped; the buffered come.
      const cursor = await server.cursor(user);
      await device.reaches(cursor.lastEventTs);
    }
  }

  async function cut(times: number) {
    for (let i = 0; i < times; i++) {
      const sockets = await device.sockets();
      network.cut();
      await until(
        () => device.sockets(),
        (n) => n === sockets + 1,
        "another socket",
      );
      await device.live();
    }
  }

  // Everything compiled, and the newest 1,000 values full, which a client keeps.
  await publish(5_000);
  await cut(5);
  const before = await heap(session);
  const seen = await heard();
  await publish(10_000);
  const after = await heap(session);
  expect((await heard()) - seen).toBeGreaterThan(5_000);
  // 10,000 events of 600 bytes are 6 MB.
  expect((after - before) / 1024).toBeLessThan(100);

  const { jsEventListeners } = await session.send("Memory.getDOMCounters");
  await cut(20);
  expect(((await heap(session)) - after) / 1024).toBeLessThan(100);
  expect((await session.send("Memory.getDOMCounters")).jsEventListeners).toBe(jsEventListeners);
});
