import type { OrderInput } from "./api.ts";
import type { OrderLine, PendingOrder } from "./events.gen.ts";

/** A line of a form: with a name of its own, so that it keeps its place while others go. */
export interface DraftLine extends OrderLine {
  key: number;
}

export interface Draft {
  customerId: string;
  lines: DraftLine[];
  note: string;
}

let keys = 0;

export const newLine = (line: OrderLine = { product: "", quantity: 1, priceCents: 1_000 }): DraftLine => ({
  ...line,
  key: ++keys,
});

export const newDraft = (): Draft => ({ customerId: "", lines: [newLine()], note: "" });

export const draftOf = (order: PendingOrder): Draft => ({
  customerId: order.customerId,
  lines: (order.lines ?? []).map(newLine),
  note: order.note,
});

export const inputOf = ({
  customerId,
  lines,
  note,
}: Pick<Draft, "customerId" | "note"> & { lines: readonly OrderLine[] }): OrderInput => ({
  customerId,
  lines: lines.map(({ product, quantity, priceCents }) => ({ product, quantity, priceCents })),
  note,
});

export const inputOfOrder = (order: PendingOrder): OrderInput => inputOf({ ...order, lines: order.lines ?? [] });

/** Do they say the same? Where they stand and when they were changed is no part of it. */
export const sameOrder = (a: OrderInput, b: OrderInput) => JSON.stringify(inputOf(a)) === JSON.stringify(inputOf(b));

/** What another device made of an order that is being edited here. */
export type Meanwhile =
  | { kind: "nothing" }
  /** Its words are others now. */
  | { kind: "changed"; order: PendingOrder; fields: string[] }
  /** It is on its way to the ERP. */
  | { kind: "submitting" }
  | { kind: "gone" };

/**
 * Compares an order with what the form began with. What the form itself has saved is no
 * news, by whichever way it comes back; and neither is a change of status alone.
 */
export function meanwhile(base: OrderInput, order: PendingOrder | undefined): Meanwhile {
  if (!order) return { kind: "gone" };
  if (order.status === "submitting") return { kind: "submitting" };
  const now = inputOfOrder(order);
  if (sameOrder(base, now)) return { kind: "nothing" };
  const fields: string[] = [];
  if (base.customerId !== now.customerId) fields.push("customer");
  if (base.note !== now.note) fields.push("note");
  if (JSON.stringify(base.lines) !== JSON.stringify(now.lines)) fields.push("lines");
  return { kind: "changed", order, fields };
}
