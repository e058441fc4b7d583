import { type Act, cancelled, row, works } from "./act.ts";
import type { Device } from "./device.ts";

async function editRecord(device: Device, text: string, article: string, button: string) {
  await device.press("Edit", row(device, text));
  await device.page.getByRole("textbox", { name: /^Article/ }).fill(article);
  await device.press(button);
  await device.closes();
}

export const history: Act[] = [
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
    act: (device) => editRecord(device, "Ada", "Better paper", "Save"),
  },
  {
    name: "edit it in the ERP",
    tab: "History",
    async act(device, truth) {
      await works(truth, "editHistory", () => editRecord(device, "Ada", "The best paper", "Save in the ERP"));
    },
  },
  {
    name: "begin another edit, and cancel it",
    tab: "History",
    async act(device, truth) {
      await cancelled(
        truth,
        "editHistory",
        () => editRecord(device, "Ada", "#slow paper", "Save in the ERP"),
        () => device.press("Cancel", row(device, "Ada")),
      );
    },
  },
  {
    name: "delete it in the ERP",
    tab: "History",
    async act(device, truth) {
      await works(truth, "deleteHistory", async () => {
        await device.press("Delete", row(device, "Ada"));
        await device.press("Delete in the ERP");
        await device.closes();
      });
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
    name: "import some, and many; turn the pages",
    tab: "History",
    async act(device) {
      await device.press("Import");
      await device.page.getByRole("textbox", { name: /^CSV/ }).fill("Ada;Ink;2;14.80\nAda;Pens;40;36");
      await device.press("Import 2 records");
      await device.closes();
      await device.press("Import");
      await device.press("Import 500 invented records");
      await device.closes();
      for (const name of ["Next", "Next", "Previous", "First"]) await device.press(name);
    },
  },
];

async function updateCustomer(device: Device, from: string | undefined, name: string) {
  await device.press("Edit", row(device, from));
  await device.page.getByRole("textbox", { name: /^Name/ }).fill(name);
  await device.press("Update in the ERP");
  await device.closes();
}

export const customers: Act[] = [
  {
    name: "update a customer",
    tab: "Customers",
    async act(device, truth) {
      await works(truth, "updateCustomer", () => updateCustomer(device, undefined, "Ada Lovelace"));
    },
  },
  {
    name: "update it to something that the ERP refuses, and to something slow that is cancelled",
    tab: "Customers",
    async act(device, truth) {
      await works(truth, "updateCustomer", () => updateCustomer(device, "Ada Lovelace", "#fail"));
      await cancelled(
        truth,
        "updateCustomer",
        () => updateCustomer(device, "Ada Lovelace", "#slow"),
        () => device.press("Cancel", row(device, "Ada Lovelace")),
      );
    },
  },
];
