// What an application does with the generated types. It must compile.

import { createClient } from "@usercast/client";
import { type EventMap, eventClasses, type Order, type Progress } from "./events.gen.ts";

const client = createClient<EventMap>({ url: "/ws" });

export const stop = client.on("ORDER_CREATED", (order, meta) => {
  const text: string = order.id + order.by + order.seen + meta.timestamp;
  const note: string = order.note ?? "";
  const articles: string[] = (order.lines ?? []).map((line) => line.article);
  const labels: string[] = (order.lines ?? []).flatMap((line) => line.labels ?? []);
  const parent: string | undefined = order.parent?.id;
  const price: number = (order.prices ?? {})["pears"] ?? 0;
  const [x, y]: [number, number] = order.position;
  const ok: boolean = order.dashed?.["is-ok"] ?? false;
  const on: Date | null = order.on === null ? null : new Date(order.on);
  const subject: number = order.payment.subject.cents;
  const nanoseconds: number = order.wait ?? 0;
  return { text, note, articles, labels, parent, price, x, y, ok, on, subject, nanoseconds };
});

client.on("is/typing", (typing) => typing?.label?.length);
client.on("BILL", (bill) => (bill ?? []).map((line) => line.text));
client.on("ORDER_DELETED", ({ ids }) => ids?.length);
client.on("ANYTHING", (what) => String(what));
client.on("JOB_*", (payload) => (payload as Progress).percent);

export const newest: Progress | undefined = client.latest("JOB_PROGRESS", "job:42");
export const next: Promise<Order> = client.once("ORDER_CREATED");

export function word(order: Order): string {
  switch (order.payment.word) {
    case "open":
      return "to pay";
    case "done":
      return "paid";
  }
}

const classes: Record<keyof EventMap, "buffered" | "transient" | "latest"> = eventClasses;
const latest: "latest" = eventClasses.JOB_PROGRESS;
export { classes, latest };
