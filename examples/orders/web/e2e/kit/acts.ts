import type { Act } from "./act.ts";
import { pending, submitted } from "./acts-orders.ts";
import { customers, history } from "./acts-records.ts";
import { notifications, shell, syncs } from "./acts-shell.ts";

/** All that a person can do by the page, in an order in which each finds what it needs. */
export const acts: Act[] = [...pending, ...submitted, ...history, ...customers, ...syncs, ...notifications, ...shell];
