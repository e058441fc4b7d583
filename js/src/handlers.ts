import type { Handler, Meta, Unsubscribe } from "./types.ts";

/** Runs code of the page's. Its errors, a rejected promise included, go to report and stop nothing. */
export type Guard = <A extends unknown[]>(fn: ((...args: A) => unknown) | undefined, ...args: A) => void;

export function createGuard(onError: ((error: unknown) => void) | undefined): [Guard, (error: unknown) => void] {
  const report = (error: unknown) => {
    try {
      if (onError) onError(error);
      else console.error(error);
    } catch {
      // Whoever throws in onError has been told, and nobody else is to be disturbed.
    }
  };
  return [
    (fn, ...args) => {
      try {
        const result = fn?.(...args) as PromiseLike<unknown> | undefined;
        if (typeof result?.then === "function") result.then(undefined, report);
      } catch (error) {
        report(error);
      }
    },
    report,
  ];
}

/** Functions to call. The same function added twice is called twice. */
export interface Listeners<A extends unknown[]> {
  add(fn: (...args: A) => unknown): Unsubscribe;
  /** Calls those who were there when it began and still are. */
  call(...args: A): void;
  clear(): void;
}

export function createListeners<A extends unknown[]>(guard: Guard): Listeners<A> {
  const all = new Set<{ fn: (...args: A) => unknown }>();
  return {
    add(fn) {
      const one = { fn };
      all.add(one);
      return () => {
        all.delete(one);
      };
    },
    call(...args) {
      for (const one of [...all]) if (all.has(one)) guard(one.fn, ...args);
    },
    clear: () => all.clear(),
  };
}

/** Wraps a handler so that it is called for the types that the pattern means. */
export function matching(pattern: string, fn: Handler): Handler {
  const prefix = pattern.endsWith("*") && pattern.slice(0, -1);
  return (payload: unknown, meta: Meta) => {
    if (prefix === false ? meta.type === pattern : meta.type.startsWith(prefix)) return fn(payload, meta);
    return undefined;
  };
}
