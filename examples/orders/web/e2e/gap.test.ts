import { expect, test } from "vitest";
import { World } from "./kit/world.ts";

// Away for longer than the server remembers.

test("more than the server keeps happens while a device is away: a notice, and right data", async () => {
  const world = await World.open();
  const truth = await world.truth();
  const device = await world.device();
  await device.open("Pending");
  await device.agrees(truth);
  device.cut();
  // 200 events are kept for each user: these are 240, and each changes something.
  const order = await truth.order("before the gap");
  for (let i = 0; i < 230; i++)
    await truth.ask("PUT", `/api/orders/${order.id}`, {
      customerId: order.customerId,
      lines: order.lines,
      note: `change ${i}`,
    });
  await truth.post("/api/notifications/read-all");
  for (let i = 0; i < 8; i++) await truth.order(`while away ${i}`);

  const heard = device.frames.length;
  device.heal();
  await device.live(heard);
  const hello = device.frames.slice(heard).find(({ type }) => type === "hub.hello");
  expect(hello?.payload).toMatchObject({ verdict: "gap", reason: "evicted" });
  await device.saysGap();
  await device.agrees(truth);
  expect(await device.unread()).toBe(0);
});
