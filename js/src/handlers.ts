import type { Handler, Unsubscribe } from "./types.ts";

/** Calls code of the page's. Its errors, a rejected promise included, go to report and stop nothing. */
export type Guard = <A extends unknown[]>(fn: ((...args: A) => unknown) | undefined, ...args: A) => void;

export function createGuard(onError: (error: unknown) => void = console.error): [Guard, (error: unknown) => void] {
  const report = (error: unknown) => {
    try {
      onError(error);
    } catch {
      // Whoever throws in onError has been told, and nobody else is to be disturbed.
    }
  };
  // Up to its await an async function runs at once, so fn is called and its throw caught before this returns.
  const guard = async <A extends unknown[]>(fn: ((...args: A) => unknown) | undefined, ...args: A) => {
    try {
      await fn?.(...args);
    } catch (error) {
      report(error);
    }
  };
  return [guard, report];
}

/** Functions to call. The same function added twice is called twice. */
export interface Listeners<A extends unknown[]> {
  add(fn: (...args: A) => unknown): Unsubscribe;
  /** Calls those who were there when it began and still are. */
  call(...args: A): void;
  /** Forgets all of them and takes no more. */
  close(): void;
}

export function createListeners<A extends unknown[]>(guard: Guard): Listeners<A> {
  const all = new Set<{ fn: (...args: A) => unknown }>();
  let closed = false;
  return {
    add(fn) {
      const one = { fn };
      if (!closed) all.add(one);
      return () => {
        all.delete(one);
      };
    },
    call(...args) {
      for (const one of [...all]) if (all.has(one)) guard(one.fn, ...args);
    },
    close() {
      closed = true;
      all.clear();
    },
  };
}

/** Wraps a handler so that it is called for the types that the pattern means. */
export function matching(pattern: string, fn: Handler): Handler {
  const prefix = pattern.slice(0, -1);
  return (payload, meta) => {
    const { type } = meta;
    if (type === pattern || (pattern === `${prefix}*` && type.startsWith(prefix))) return fn(payload, meta);
    return undefined;
  };
}
