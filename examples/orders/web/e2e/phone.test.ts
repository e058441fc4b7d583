import type { Page } from "playwright-core";
import { expect, test } from "vitest";
import { until } from "../../../../js/e2e/kit/until.ts";
import type { Device, Tab } from "./kit/device.ts";
import { World } from "./kit/world.ts";

// A phone, the keyboard alone, light and dark.

const tabs: Tab[] = ["Pending", "Submitted", "History", "Customers", "Syncs", "Monitor"];

/** By how many pixels a page is wider than the screen. */
const overflow = (page: Page) =>
  page.evaluate(() => {
    const { scrollWidth, clientWidth } = document.scrollingElement ?? document.documentElement;
    return scrollWidth - clientWidth;
  });

test.each(["light", "dark"] as const)("at 360 pixels nothing is wider than the screen (%s)", async (colorScheme) => {
  const world = await World.open();
  const truth = await world.truth();
  const device = await world.device("anna", { viewport: { width: 360, height: 740 }, colorScheme, hasTouch: true });
  // Words that do not break, and work going on in a row.
  const order = await truth.order(`#slow ${"Donaudampfschifffahrt".repeat(10)}`);
  await truth.post(`/api/orders/${order.id}/submit`);
  for (const tab of tabs) {
    await device.open(tab);
    await settled(device);
    expect([tab, await overflow(device.page)]).toEqual([tab, 0]);
  }
  for (const drawer of ["Jobs", "Notifications"] as const) {
    const open = await device.drawer(drawer);
    await open.getByRole("listitem").first().waitFor();
    const inside = await open.evaluate((el) => el.scrollWidth - el.clientWidth);
    expect([drawer, await overflow(device.page), inside]).toEqual([drawer, 0, 0]);
  }
  // The background is as dark as it was asked for.
  const [red = 0] = await device.page.evaluate(() =>
    (getComputedStyle(document.body).backgroundColor.match(/[\d.]+/g) ?? []).map(Number),
  );
  expect(red > 128).toBe(colorScheme === "light");
});

/** Waits until the page has its data. */
const settled = (device: Device) =>
  until(
    () => device.page.locator("main [aria-busy=true]").count(),
    (busy) => busy === 0,
    "the page to have its data",
  );

test("by the keyboard alone: log in, create an order, submit it", async () => {
  const world = await World.open();
  const device = await world.device(null, { viewport: { width: 360, height: 740 } });
  const { page } = device;
  const keys = page.keyboard;
  const focused = () =>
    page.evaluate(() => {
      const el = document.activeElement;
      const label = el && "labels" in el ? (el.labels as NodeList | null)?.[0]?.textContent : null;
      return el?.getAttribute("aria-label") ?? label ?? el?.textContent ?? "";
    });
  /** Goes on with Tab until something has the focus; whoever cannot see it must find it so. */
  const tabTo = (name: RegExp) =>
    until(
      async () => {
        const now = await focused();
        if (!name.test(now)) await keys.press("Tab");
        return now;
      },
      (now) => name.test(now),
      `${name} to get the focus`,
    );

  await device.showsLogin();
  await tabTo(/^Your name$/);
  await keys.type("anna");
  await keys.press("Enter");
  await device.live();
  const truth = await world.truth();
  const before = (await truth.orders()).length;

  await tabTo(/^New order$/);
  await keys.press("Enter");
  await page.getByRole("dialog", { name: "New order" }).waitFor();
  await tabTo(/^Customer$/);
  await page.locator("dialog select option").nth(1).waitFor({ state: "attached" }); // the customers have come
  await keys.press("ArrowDown");
  await tabTo(/^Product$/);
  await keys.type("Typed by hand");
  await tabTo(/^Quantity$/);
  await keys.press("ControlOrMeta+A");
  await keys.type("3");
  await tabTo(/^Note$/);
  await keys.type("without a mouse");
  await tabTo(/^Create order$/);
  await keys.press("Enter");
  const row = page.locator("main tr[data-id]").filter({ hasText: "without a mouse" });
  await row.waitFor();
  const order = (await truth.orders()).find(({ note }) => note === "without a mouse");
  expect(order?.lines).toMatchObject([{ product: "Typed by hand", quantity: 3 }]);
  expect((await truth.orders()).length).toBe(before + 1);

  // The newest order is the first row, and Submit the first button that is called so.
  await tabTo(/^Submit$/);
  await keys.press("Enter");
  await device.hears("PENDING_SUBMITTED", ({ payload }) => payload.pendingOrderId === order?.id);
  await row.waitFor({ state: "detached" });
  await until(
    () => truth.submitted(),
    (orders) => orders.some(({ note }) => note === "without a mouse"),
    "the order to be submitted",
  );
});
