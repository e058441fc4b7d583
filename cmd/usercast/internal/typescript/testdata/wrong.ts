// Mistakes that the generated types must catch: each marked line, and no other.

import { createClient } from "@usercast/client";
import { type EventMap, eventClasses, type Order } from "./events.gen.ts";

const client = createClient<EventMap>({ url: "/ws" });

client.on("ORDER_CREATED", (order) => {
  order.lines.length; // WRONG: a nil slice is null
  order.lines?.[0]?.labels.length; // WRONG: so is one in a slice
  order.note.length; // WRONG: a nil pointer is null
  order.on.length; // WRONG: also one that a promoted field has
  order.parent.id; // WRONG: omitempty leaves it out
  order.wait.toFixed(); // WRONG: omitzero does, too
  order.prices["pears"]; // WRONG: a nil map is null
  order.prices?.["pears"].toFixed(); // WRONG: a map has the keys that it has
  order.photo.length; // WRONG: nil bytes are null
  order.dashed["is-ok"]; // WRONG: a nil pointer to a struct without a name
  order.position[2]; // WRONG: an array has its length
  order.extra.anything; // WRONG: raw JSON is unknown
  order.ID; // WRONG: the name is that of the tag
  order.payment.word === "opened"; // WRONG: no such word
});
client.on("ORDER_CREATE", () => {}); // WRONG: no such event
client.on("BILL", (bill) => bill.length); // WRONG: the payload itself may be null
client.on("is/typing", (typing) => typing.jobId); // WRONG: so may a pointer
client.on("ORDER_DELETED", ({ ids }) => ids.length); // WRONG: in a struct without a name
client.on("ANYTHING", (what) => what.id); // WRONG: unknown is to be narrowed
client.latest("JOB_PROGRESS").percent; // WRONG: there may be none yet
eventClasses.ORDER_CREATED === "latest"; // WRONG: it is buffered

export const order: Order = {
  by: "ann",
  at: "2026-11-22T20:53:52.123456Z",
  on: null,
  id: "1",
  lines: null,
  note: undefined, // WRONG: null is not undefined
  payment: { subject: { text: "", cents: 1 }, word: "open" },
  prices: null,
  seen: 7, // WRONG: a timestamp is text
  position: [1, 2],
  photo: null,
  dashed: null,
};

export const more: Partial<Order> = {
  id: "1",
  colour: "red", // WRONG: no such field
};
