import { expect, test } from "vitest";
import { until } from "../../../../js/e2e/kit/until.ts";
import { draft } from "./kit/truth.ts";
import { World } from "./kit/world.ts";

// A request never fails because of an event.

test("requests while every socket is cut again and again: all are answered, and nothing is lost", async () => {
  const world = await World.open();
  const truth = await world.truth();
  const devices = [await world.device(), await world.device()];
  for (const device of devices) {
    await device.open("Pending");
    device.disturbed();
  }
  const [customer] = await truth.customers();
  const statuses: number[] = [];
  const write = async (method: string, path: string, body: unknown) => {
    const response = await truth.request(method, path, body);
    statuses.push(response.status);
    return (await response.json()) as { id: string };
  };
  for (let i = 0; i < 30; i++) {
    for (const device of devices) device.network.cut();
    const writes = Array.from({ length: 4 }, (_, k) =>
      write("POST", "/api/orders", draft(customer?.id ?? "", `order ${i}.${k}`)),
    );
    for (const device of devices) device.network.cut();
    const [first] = await Promise.all(writes);
    await write("PUT", `/api/orders/${first?.id}`, draft(customer?.id ?? "", `changed ${i}`));
  }
  expect(statuses).toHaveLength(150);
  expect(statuses.filter((status) => status >= 400)).toEqual([]);
  // Orders of the same moment may stand in another order until the list is fetched again.
  for (const device of devices) await device.agrees(truth, { inOrder: false });
});

test("an order that is too big for an event is saved all the same, and devices fetch it", async () => {
  const world = await World.open();
  const truth = await world.truth();
  const device = await world.device();
  await device.open("Pending");
  const [customer] = await truth.customers();
  // 200 orders with long notes: their rows would be far more than the 64 KiB of an event.
  const orders = Array.from({ length: 200 }, (_, i) => draft(customer?.id ?? "", `${i} ${"ä".repeat(400)}`));
  const created = await truth.post<{ id: string }[]>("/api/orders/batch", { orders });
  expect(created).toHaveLength(200);
  await device.hears("PENDING_CREATED", ({ payload }) => payload.count === 200);
  await device.agrees(truth);

  // What an operator sends must fit too: it is refused, and nobody hears anything of it.
  expect(
    await world.server.sendStatus("anna", "PENDING_CREATED", { pad: "x".repeat(70 << 10) }),
  ).toBeGreaterThanOrEqual(400);
  const order = await truth.order("and life goes on");
  await device.hears("PENDING_CREATED", ({ payload }) => JSON.stringify(payload).includes(order.id));
  await until(
    () => device.page.getByText("and life goes on").count(),
    (count) => count > 0,
    "the next order",
  );
});
