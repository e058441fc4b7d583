import { expect, test } from "vitest";
import { draftOf, inputOf, inputOfOrder, meanwhile } from "../src/order-draft.ts";
import { pendingOrder } from "./kit.ts";

// What a form says of an order that is changed elsewhere while it is open.

const base = inputOfOrder(pendingOrder("a", 1));

test("its own echo is no news, nor is a change that changes no word", () => {
  expect(meanwhile(base, pendingOrder("a", 1))).toEqual({ kind: "nothing" });
  expect(meanwhile(base, pendingOrder("a", 9, { status: "failed", jobId: "j" }))).toEqual({ kind: "nothing" });
  const saved = pendingOrder("a", 2, { note: "saved" });
  expect(meanwhile(inputOf(draftOf(saved)), saved)).toEqual({ kind: "nothing" });
});

test("another device's change is, with what it changed", () => {
  const line = { product: "Ink", quantity: 2, priceCents: 5 };
  const cases = [
    [{ note: "theirs" }, ["note"]],
    [{ customerId: "c2" }, ["customer"]],
    [{ lines: [line] }, ["lines"]],
    [{ note: "theirs", customerId: "c2", lines: null }, ["customer", "note", "lines"]],
  ] as const;
  for (const [to, fields] of cases) {
    const order = pendingOrder("a", 2, to as object);
    expect(meanwhile(base, order)).toEqual({ kind: "changed", order, fields });
  }
});

test("an order that is on its way or gone cannot be saved any more", () => {
  expect(meanwhile(base, pendingOrder("a", 2, { status: "submitting", note: "theirs" }))).toEqual({
    kind: "submitting",
  });
  expect(meanwhile(base, undefined)).toEqual({ kind: "gone" });
});
