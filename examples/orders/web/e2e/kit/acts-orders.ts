import { type Act, begins, cancelled, row, works } from "./act.ts";
import type { Device } from "./device.ts";
import { ended } from "./truth.ts";

async function writeOrder(device: Device, note: string) {
  await device.press("New order");
  const form = device.page.getByRole("dialog", { name: "New order" });
  await form.getByRole("combobox", { name: /^Customer/ }).selectOption({ index: 1 });
  await form.getByRole("combobox", { name: /^Product/ }).fill("Proof");
  await form.getByRole("textbox", { name: /^Note/ }).fill(note);
  await device.press("Create order");
  await device.closes();
  await row(device, note).waitFor();
}

const submit = (device: Device, note: string) => device.press("Submit", row(device, note));

async function mark(device: Device, count: number) {
  const boxes = device.page.locator("main tr[data-id]").getByRole("checkbox");
  for (let i = 0; i < count; i++) await boxes.nth(i).check();
}

const unmarked = (device: Device) => device.page.getByRole("toolbar").waitFor({ state: "detached" });

export const pending: Act[] = [
  { name: "create an order", tab: "Pending", act: (device) => writeOrder(device, "first") },
  {
    name: "edit it, with a line more, and less",
    tab: "Pending",
    async act(device) {
      await device.press("Edit", row(device, "first"));
      await device.press("Add line");
      await device.press("Remove line", device.page.locator(".line").last());
      await device.page.getByRole("textbox", { name: /^Note/ }).fill("first, edited");
      await device.press("Save");
      await device.closes();
    },
  },
  {
    name: "duplicate, raise and delete several",
    tab: "Pending",
    async act(device) {
      await mark(device, 3);
      await device.press("Clear");
      await unmarked(device);
      await mark(device, 3);
      await device.press("Duplicate");
      await unmarked(device);
      await mark(device, 3);
      await device.press("Raise quantities");
      await unmarked(device);
      await mark(device, 2);
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
      await device.press("Keep");
      await device.closes();
      await device.press("Delete", row(device, "first, edited"));
      await device.press("Delete order");
      await device.closes();
    },
  },
  {
    name: "submit one",
    tab: "Pending",
    beside: "Jobs",
    async act(device, truth) {
      await writeOrder(device, "to be submitted");
      await works(truth, "submitOrder", () => submit(device, "to be submitted"));
    },
  },
  {
    name: "submit one that succeeds at the second attempt",
    tab: "Pending",
    beside: "Jobs",
    async act(device, truth) {
      await writeOrder(device, "#flaky order");
      await works(truth, "submitOrder", () => submit(device, "#flaky order"));
    },
  },
  {
    name: "submit one that is refused, and retry it",
    tab: "Pending",
    beside: "Jobs",
    async act(device, truth) {
      await writeOrder(device, "#fail order");
      const failed = await works(truth, "submitOrder", () => submit(device, "#fail order"));
      await works(truth, "submitOrder", async () => device.press("Retry", await device.jobRow(failed.id)));
      await device.close();
    },
  },
  {
    name: "cancel one that runs in its row, and one that waits in the list of jobs",
    tab: "Pending",
    beside: "Jobs",
    async act(device, truth) {
      await writeOrder(device, "#slow order");
      await writeOrder(device, "behind it");
      let waiting = "";
      await cancelled(
        truth,
        "submitOrder",
        () => submit(device, "#slow order"),
        async () => {
          const { id } = await begins(truth, "submitOrder", () => submit(device, "behind it"));
          waiting = id;
          await device.press("Cancel", await device.jobRow(waiting));
          await device.close();
          await device.press("Cancel", row(device, "#slow order"));
        },
      );
      await truth.untilJob(waiting, ended, "end");
    },
  },
];

/** The submitted order that nothing has been done to. */
const untouched = (device: Device) => device.page.locator('main tr[data-status="submitted"]').first();

async function editNote(device: Device, note: string) {
  await device.press("Edit note", untouched(device));
  await device.page.getByRole("textbox", { name: /^Note/ }).fill(note);
  await device.press("Save in the ERP");
  await device.closes();
}

export const submitted: Act[] = [
  {
    name: "see a number come",
    tab: "Submitted",
    async act(device, truth) {
      await device.open("Pending");
      await writeOrder(device, "to be numbered");
      await works(truth, "submitOrder", () => submit(device, "to be numbered"));
      await device.open("Submitted");
    },
  },
  {
    name: "edit a submitted order",
    tab: "Submitted",
    async act(device, truth) {
      await works(truth, "editOrder", () => editNote(device, "edited in the ERP"));
    },
  },
  {
    name: "begin another edit, and cancel it",
    tab: "Submitted",
    async act(device, truth) {
      await cancelled(
        truth,
        "editOrder",
        () => editNote(device, "#slow edit"),
        () => device.press("Cancel", device.page.locator('main tr[data-status="editing"]').first()),
      );
    },
  },
  {
    name: "send it to Verona",
    tab: "Submitted",
    async act(device, truth) {
      await works(truth, "sendToVerona", () => device.press("Send to Verona", untouched(device)));
    },
  },
  {
    name: "delete another",
    tab: "Submitted",
    async act(device, truth) {
      await works(truth, "deleteOrder", async () => {
        await device.press("Delete", untouched(device));
        await device.press("Delete order");
        await device.closes();
      });
    },
  },
];
