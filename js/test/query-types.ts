// Read by the compiler (npm run typecheck), never run: what infers, and what does not compile.
// biome-ignore-all lint/correctness/noComponentHookFactories: types of event are written like components

import { type QueryClient, queryOptions } from "@tanstack/react-query";
import { expectTypeOf } from "vitest";
import type { Client, Meta } from "../src/index.ts";
import { type BindOptions, bindQueryClient, update } from "../src/query/index.ts";
import type { Events, Order } from "./query-kit.ts";

declare const client: Client<Events>;
declare const queryClient: QueryClient;
const orders = queryOptions({ queryKey: ["orders"], queryFn: async (): Promise<Order[]> => [] });

export function bind() {
  expectTypeOf(bindQueryClient(client, queryClient)).toEqualTypeOf<() => void>();
  bindQueryClient(client, queryClient, {
    events: {
      COUNT: { queryKey: ["n"] },
      PENDING_CREATED: [orders, { queryKey: ["n"], exact: true }],
      PENDING_DELETED: ({ orderIds, count }, meta) => {
        expectTypeOf(orderIds).toEqualTypeOf<string[]>();
        expectTypeOf(count).toEqualTypeOf<number>();
        expectTypeOf(meta).toEqualTypeOf<Meta>();
        return update(orders.queryKey, (old) => {
          expectTypeOf(old).toEqualTypeOf<Order[]>();
          return old.filter((order) => !orderIds.includes(order.id));
        });
      },
      "JOB_*": (payload) => {
        expectTypeOf(payload).toEqualTypeOf<unknown>();
        return undefined;
      },
      "*": () => {},
    },
    gap: [orders, { queryKey: ["n"] }],
    poll: [],
  });

  const rules = (_: BindOptions<Events>["events"]) => {};
  // @ts-expect-error: no such event
  rules({ PENDING_CREATE: { queryKey: ["n"] } });
  // @ts-expect-error: the producer says orderIds
  rules({ PENDING_DELETED: ({ orderId }) => ({ queryKey: ["n", orderId] }) });
  // @ts-expect-error: a key alone is not a target: it looks like a list of them
  rules({ COUNT: ["n"] });
}

export function updates() {
  update(["n"], (old: number) => old + 1);
  update(["n"], (old: number) => (old > 1 ? old : undefined));
  // @ts-expect-error: other data than there was
  update(["n"], (old: number) => String(old));
  // @ts-expect-error: the key says what its data is
  update(orders.queryKey, (old: string) => old);
  // @ts-expect-error: the key says what its data is
  update(orders.queryKey, (old) => old.map((order) => order.id));
}
