import { until } from "../../../../../js/e2e/kit/until.ts";
import type { Device, Tab } from "./device.ts";
import { ended, type Truth } from "./truth.ts";

/** Something that a person does on a device, all by the page. */
export interface Act {
  name: string;
  tab: Tab;
  /** What the other device has open over its page. */
  beside?: "Jobs" | "Notifications";
  act(device: Device, truth: Truth): Promise<void>;
}

/** The first row that can be worked on. */
const row = (device: Device, text?: string) => {
  const rows = device.page.locator("main tr[data-id]");
  return (text ? rows.filter({ hasText: text }) : rows).first();
};

async function writeOrder(device: Device, note: string) {
  await device.press("New order");
  const form = device.page.getByRole("dialog", { name: "New order" });
  await form.getByRole("combobox", { name: /^Customer/ }).selectOption({ index: 1 });
  await form.getByRole("combobox", { name: /^Product/ }).fill("Proof");
  await form.getByRole("textbox", { name: /^Note/ }).fill(note);
  await device.press("Create order", form);
  await device.closes();
  await row(device, note).waitFor();
}

async function submit(device: Device, note: string) {
  await device.press("Submit", row(device, note));
}

const jobEnds = (truth: Truth, type: string) =>
  until(
    () => truth.newest(type),
    (job) => job && ended(job),
    `${type} to end`,
  );

const pending: Act[] = [
  { name: "create an order", tab: "Pending", act: (device) => writeOrder(device, "first") },
  {
    name: "edit it",
    tab: "Pending",
    async act(device) {
      await device.press("Edit", row(device, "first"));
      await device.page.getByRole("textbox", { name: /^Note/ }).fill("first, edited");
      await device.press("Save");
      await device.closes();
    },
  },
  {
    name: "duplicate, raise and delete several",
    tab: "Pending",
    async act(device) {
      const boxes = device.page.locator("main tr[data-id]").getByRole("checkbox");
      for (const i of [0, 1, 2]) await boxes.nth(i).check();
      await device.press("Duplicate");
      await device.page.getByRole("toolbar").waitFor({ state: "detached" });
      for (const i of [0, 1, 2]) await boxes.nth(i).check();
      await device.press("Raise quantities");
      await device.page.getByRole("toolbar").waitFor({ state: "detached" });
      for (const i of [0, 1]) await boxes.nth(i).check();
      await device.press("Delete", device.page.getByRole("toolbar"));
      await device.press("Delete 2 orders");
      await device.closes();
    },
  },
  {
    name: "delete one",
    tab: "Pending",
    async act(device) {
      await device.press("Delete", row(device, "first, edited"));
      await device.press("Delete order");
      await device.closes();
    },
  },
  {
    name: "submit one, and watch it in the list",
    tab: "Pending",
    async act(device, truth) {
      await writeOrder(device, "to be submitted");
      await submit(device, "to be submitted");
      await jobEnds(truth, "submitOrder");
    },
  },
  {
    name: "submit one that succeeds at the second attempt, and watch the jobs",
    tab: "Pending",
    beside: "Jobs",
    async act(device, truth) {
      await writeOrder(device, "#flaky order");
      await submit(device, "#flaky order");
      await jobEnds(truth, "submitOrder");
    },
  },
  {
    name: "submit one that is refused, and retry it",
    tab: "Pending",
    beside: "Jobs",
    async act(device, truth) {
      await writeOrder(device, "#fail order");
      await submit(device, "#fail order");
      const failed = await jobEnds(truth, "submitOrder");
      await device.press("Retry", await device.jobRow(failed?.id ?? ""));
      await until(
        () => truth.newest("submitOrder"),
        (job) => job && job.id !== failed?.id && ended(job),
        "the second job to end",
      );
      await device.close();
    },
  },
  {
    name: "cancel one",
    tab: "Pending",
    beside: "Jobs",
    async act(device, truth) {
      await writeOrder(device, "#slow order");
      await submit(device, "#slow order");
      await device.press("Cancel", row(device, "#slow order"));
      await jobEnds(truth, "submitOrder");
    },
  },
];

/** The submitted order that nothing has been done to. */
const submitted = (device: Device) => device.page.locator('main tr[data-status="submitted"]').first();

const submittedActs: Act[] = [
  {
    name: "see a number come",
    tab: "Submitted",
    async act(device, truth) {
      await device.open("Pending");
      await writeOrder(device, "to be numbered");
      await submit(device, "to be numbered");
      await jobEnds(truth, "submitOrder");
      await device.open("Submitted");
    },
  },
  {
    name: "edit a submitted order",
    tab: "Submitted",
    async act(device, truth) {
      await device.press("Edit note", submitted(device));
      await device.page.getByRole("textbox", { name: /^Note/ }).fill("edited in the ERP");
      await device.press("Save in the ERP");
      await device.closes();
      await jobEnds(truth, "editOrder");
    },
  },
  {
    name: "send it to Verona",
    tab: "Submitted",
    async act(device, truth) {
      await device.press("Send to Verona", submitted(device));
      await jobEnds(truth, "sendToVerona");
    },
  },
  {
    name: "delete another",
    tab: "Submitted",
    async act(device, truth) {
      await device.press("Delete", submitted(device));
      await device.press("Delete order");
      await device.closes();
      await jobEnds(truth, "deleteOrder");
    },
  },
];

const history: Act[] = [
  {
    name: "add a record",
    tab: "History",
    async act(device) {
      await device.press("New record");
      const form = device.page.getByRole("dialog");
      await form.getByRole("textbox", { name: /^Customer/ }).fill("Ada");
      await form.getByRole("textbox", { name: /^Article/ }).fill("Paper");
      await device.press("Add record");
      await device.closes();
    },
  },
  {
    name: "edit it here",
    tab: "History",
    async act(device) {
      await device.press("Edit", row(device, "Ada"));
      await device.page.getByRole("textbox", { name: /^Article/ }).fill("Better paper");
      await device.press("Save");
      await device.closes();
    },
  },
  {
    name: "edit it in the ERP",
    tab: "History",
    async act(device, truth) {
      await device.press("Edit", row(device, "Ada"));
      await device.page.getByRole("textbox", { name: /^Article/ }).fill("The best paper");
      await device.press("Save in the ERP");
      await device.closes();
      await jobEnds(truth, "editHistory");
    },
  },
  {
    name: "delete it in the ERP",
    tab: "History",
    async act(device, truth) {
      await device.press("Delete", row(device, "Ada"));
      await device.press("Delete in the ERP");
      await device.closes();
      await jobEnds(truth, "deleteHistory");
    },
  },
  {
    name: "delete one here",
    tab: "History",
    async act(device) {
      await device.press("Delete", row(device));
      await device.press("Delete");
      await device.closes();
    },
  },
  {
    name: "import many",
    tab: "History",
    async act(device) {
      await device.press("Import");
      await device.press("Import 500 invented records");
      await device.closes();
    },
  },
];

const notifications: Act[] = [
  {
    name: "read one notification, then all",
    tab: "History",
    beside: "Notifications",
    async act(device) {
      const drawer = await device.drawer("Notifications");
      const one = drawer.getByRole("button", { name: "Mark as read" });
      const before = await one.count();
      await one.first().click();
      await until(
        () => one.count(),
        (count) => count === before - 1,
        "one less to be unread",
      );
      await device.press("Mark all as read", drawer);
      await until(
        () => device.unread(),
        (unread) => unread === 0,
        "nothing to be unread",
      );
      await device.close();
    },
  },
];

async function updateCustomer(device: Device, truth: Truth, from: string | undefined, name: string) {
  await device.press("Edit", row(device, from));
  await device.page.getByRole("textbox", { name: /^Name/ }).fill(name);
  await device.press("Update in the ERP");
  await device.closes();
  await jobEnds(truth, "updateCustomer");
}

const customers: Act[] = [
  {
    name: "update a customer",
    tab: "Customers",
    act: (device, truth) => updateCustomer(device, truth, undefined, "Ada Lovelace"),
  },
  {
    name: "update it to something that the ERP refuses",
    tab: "Customers",
    async act(device, truth) {
      await row(device, "Ada Lovelace").waitFor();
      await updateCustomer(device, truth, "Ada Lovelace", "#fail");
    },
  },
];

const syncs: Act[] = [
  {
    name: "sync products",
    tab: "Syncs",
    async act(device, truth) {
      await device.press("Sync products");
      await jobEnds(truth, "syncProducts");
    },
  },
  {
    name: "sync prices, which the ERP refuses",
    tab: "Syncs",
    async act(device, truth) {
      const note = device.page.getByRole("textbox", { name: /^Note for/ });
      await note.fill("#fail");
      await device.press("Sync prices");
      await jobEnds(truth, "syncPrices");
      await note.fill("");
    },
  },
  {
    name: "sync everything",
    tab: "Syncs",
    async act(device, truth) {
      await device.press("Sync everything");
      for (const type of ["syncCustomers", "syncOrders", "syncPrices"]) await jobEnds(truth, type);
    },
  },
];

export const acts: Act[] = [...pending, ...submittedActs, ...history, ...customers, ...syncs, ...notifications];
