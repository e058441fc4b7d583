import { expect, test } from "vitest";
import { until } from "../../../../js/e2e/kit/until.ts";
import { World } from "./kit/world.ts";

// The form that edits an order, while its own change comes back and others change the same.

test("what is typed is never lost, and what another device did is announced", async () => {
  const world = await World.open();
  const truth = await world.truth();
  const [mine, other] = [await world.device(), await world.device()];
  await Promise.all([mine.open("Pending"), other.open("Pending")]);
  const order = await truth.order("as it was");
  await mine.row(order.id).getByText("as it was").waitFor();

  // The other device changes and saves it, twice, while this one types.
  const form = await mine.edit(order.id);
  await form.getByRole("textbox", { name: /^Note/ }).fill("half a sen");
  const theirs = await other.edit(order.id);
  await theirs.getByRole("textbox", { name: /^Note/ }).fill("by the other");
  await theirs.getByRole("button", { name: "Save" }).click();
  await theirs.waitFor({ state: "detached" });
  const notice = mine.page.getByTestId("edit-notice");
  await notice.getByText("Another device has changed this order").waitFor();
  expect(await form.getByRole("textbox", { name: /^Note/ }).inputValue()).toBe("half a sen");
  await form.getByRole("textbox", { name: /^Note/ }).pressSequentially("tence");
  expect(await form.getByRole("textbox", { name: /^Note/ }).inputValue()).toBe("half a sentence");

  // A change of the same order that says nothing new on top of it, and one that does.
  await notice.getByRole("button", { name: "Keep mine" }).click();
  await notice.waitFor({ state: "detached" });
  const heard = mine.frames.length;
  await truth.ask("PUT", `/api/orders/${order.id}`, { ...input(order), note: "by a third" });
  await mine.hears("PENDING_UPDATED", undefined, heard);
  await notice.waitFor();
  expect(await form.getByRole("textbox", { name: /^Note/ }).inputValue()).toBe("half a sentence");
  await notice.getByRole("button", { name: "Take over" }).click();
  await notice.waitFor({ state: "detached" });
  expect(await form.getByRole("textbox", { name: /^Note/ }).inputValue()).toBe("by a third");
  await form.getByRole("textbox", { name: /^Note/ }).fill("half a sentence");
  await form.getByRole("button", { name: "Save" }).click();
  await form.waitFor({ state: "detached" });
  await mine.row(order.id).getByText("half a sentence").waitFor();
  await other.row(order.id).getByText("half a sentence").waitFor();
  await mine.agrees(truth);
  await other.agrees(truth);
});

test("saving is no news to the device that saves, while the answer is on its way and after", async () => {
  const world = await World.open();
  const truth = await world.truth();
  const mine = await world.device();
  await mine.open("Pending");
  const order = await truth.order("to be saved");
  await mine.row(order.id).getByText("to be saved").waitFor();

  // The answer to the save is held back; the row is changed for all devices by then.
  let open = () => {};
  const gate = new Promise<void>((resolve) => {
    open = resolve;
  });
  await mine.page.route(`**/api/orders/${order.id}`, async (route) => {
    const response = await route.fetch();
    await gate;
    await route.fulfill({ response });
  });
  const form = await mine.edit(order.id);
  await form.getByRole("textbox", { name: /^Note/ }).fill("saved here");
  const heard = mine.frames.length;
  await form.getByRole("button", { name: "Save" }).click();
  await until(
    async () => (await truth.orders()).find(({ id }) => id === order.id)?.note,
    (note) => note === "saved here",
    "the server to have it",
  );
  await form.getByRole("textbox", { name: /^Note/ }).fill("saved here, and typed on");
  // Another device makes another order: what comes with it says nothing about this form.
  const another = await truth.order("another");
  await mine.hears("PENDING_CREATED", ({ payload }) => JSON.stringify(payload).includes(another.id), heard);
  expect(await mine.page.getByTestId("edit-notice").count()).toBe(0);
  expect(await form.getByRole("textbox", { name: /^Note/ }).inputValue()).toBe("saved here, and typed on");
  // The hub has sent no echo of the device's own doing.
  expect(mine.frames.slice(heard).filter(({ type }) => type === "PENDING_UPDATED")).toEqual([]);
  open();
  await mine.row(order.id).getByText("saved here", { exact: true }).waitFor();

  // What was typed after the click is still there to be saved, and nothing is news.
  expect(await form.getByRole("textbox", { name: /^Note/ }).inputValue()).toBe("saved here, and typed on");
  expect(await mine.page.getByTestId("edit-notice").count()).toBe(0);
  await mine.page.unroute(`**/api/orders/${order.id}`);
  await form.getByRole("button", { name: "Save" }).click();
  await form.waitFor({ state: "detached" });
  await mine.row(order.id).getByText("saved here, and typed on", { exact: true }).waitFor();

  // The next form begins with it, and tells of no change by anyone.
  const again = await mine.edit(order.id);
  expect(await again.getByRole("textbox", { name: /^Note/ }).inputValue()).toBe("saved here, and typed on");
  expect(await mine.page.getByTestId("edit-notice").count()).toBe(0);
  await mine.close();
  await mine.agrees(truth);
});

test("an order that is submitted or deleted elsewhere says so in the form, which keeps what was typed", async () => {
  const world = await World.open();
  const truth = await world.truth();
  const mine = await world.device();
  await mine.open("Pending");
  for (const [kind, act] of [
    ["submitting", (id: string) => truth.post(`/api/orders/${id}/submit`)],
    ["gone", (id: string) => truth.ask("DELETE", "/api/orders", { ids: [id] })],
  ] as const) {
    const order = await truth.order(`#slow, ${kind}`);
    await mine.row(order.id).getByText(kind).waitFor();
    const form = await mine.edit(order.id);
    await form.getByRole("textbox", { name: /^Note/ }).fill(`typed while ${kind}`);
    await act(order.id);
    await mine.page.locator(`[data-testid="edit-notice"][data-kind="${kind}"]`).waitFor();
    expect(await form.getByRole("textbox", { name: /^Note/ }).inputValue()).toBe(`typed while ${kind}`);
    expect(await form.getByRole("button", { name: "Save" }).isDisabled()).toBe(true);
    await mine.close();
  }
  await mine.agrees(truth);
});

const input = ({ customerId, lines }: { customerId: string; lines: unknown }) => ({ customerId, lines });
