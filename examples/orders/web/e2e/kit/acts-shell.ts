import { until } from "../../../../../js/e2e/kit/until.ts";
import { type Act, begins, cancelled, works } from "./act.ts";
import type { Device } from "./device.ts";
import { ended } from "./truth.ts";

const note = (device: Device) => device.page.getByRole("textbox", { name: /^Note for/ });
const card = (device: Device, type: string) => device.page.locator(`main [data-id="${type}"]`);

export const syncs: Act[] = [
  {
    name: "sync products",
    tab: "Syncs",
    async act(device, truth) {
      await works(truth, "syncProducts", () => device.press("Sync products"));
    },
  },
  {
    name: "sync prices, which the ERP refuses",
    tab: "Syncs",
    async act(device, truth) {
      await note(device).fill("#fail");
      await works(truth, "syncPrices", () => device.press("Sync prices"));
      await note(device).fill("");
    },
  },
  {
    name: "sync slowly, and cancel: on its card, in the banner, and two at once",
    tab: "Syncs",
    async act(device, truth) {
      const banner = device.page.getByTestId("sync-banner");
      await note(device).fill("#slow");
      const slow = () => device.press("Sync customers");
      await cancelled(truth, "syncCustomers", slow, () => device.press("Cancel", card(device, "customers")));
      await cancelled(truth, "syncCustomers", slow, () => device.press("Cancel", banner));
      await cancelled(truth, "syncCustomers", slow, async () => {
        const { id } = await begins(truth, "syncOrders", () => device.press("Sync orders"));
        await device.press("Cancel all", banner);
        await truth.untilJob(id, ended, "end");
      });
      await note(device).fill("");
    },
  },
  {
    name: "sync everything",
    tab: "Syncs",
    async act(device, truth) {
      const { id } = await begins(truth, "syncPrices", () => device.press("Sync everything"));
      await truth.untilJob(id, ended, "end");
    },
  },
];

export const notifications: Act[] = [
  {
    name: "read one notification, then all",
    tab: "History",
    beside: "Notifications",
    async act(device) {
      const drawer = await device.drawer("Notifications");
      const one = drawer.getByRole("button", { name: "Mark as read" });
      const before = await one.count();
      await device.press("Mark as read", drawer.getByRole("listitem").filter({ hasText: "Mark as read" }).first());
      await until(
        () => one.count(),
        (count) => count === before - 1,
        "one less to be unread",
      );
      await device.press("Mark all as read");
      await until(
        () => device.unread(),
        (unread) => unread === 0,
        "nothing to be unread",
      );
      await device.press("Close");
      await device.closes();
    },
  },
];

export const shell: Act[] = [
  {
    name: "open the form of an order and leave it; look at the keys",
    tab: "Pending",
    async act(device) {
      await device.press("New order");
      await device.press("Cancel");
      await device.closes();
      await device.press(/^Account of/);
      await device.press("Keyboard shortcuts");
      await device.press("Close");
      await device.closes();
    },
  },
];
