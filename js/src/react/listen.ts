import type { Client, Gap, Meta, Unsubscribe } from "../types.ts";

/** Called with an event, with a gap, or with nothing: the state has changed. */
export type Listener = (payload?: unknown, meta?: Meta) => void;

/** Hears of everything that can change what a client knows. */
export function listen<M extends object>(client: Client<M>, fn: Listener): Unsubscribe {
  const undo = [client.on("*", fn), client.onGap(fn as (gap: Gap) => void), client.subscribeState(fn)];
  return () => {
    for (const u of undo) u();
  };
}
