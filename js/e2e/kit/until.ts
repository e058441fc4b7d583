import { setTimeout as sleep } from "node:timers/promises";

/**
 * Waits for a condition, for as long as a busy machine may need, and says at the end what
 * it saw instead. Tests wait for nothing else: never for a time to pass.
 */
export async function until<T>(
  look: () => T | Promise<T>,
  good: (seen: T) => unknown,
  what: string,
  limitMs = 30_000,
): Promise<T> {
  const end = Date.now() + limitMs;
  for (;;) {
    const seen = await look();
    if (good(seen)) return seen;
    if (Date.now() > end) {
      const text = JSON.stringify(seen) ?? String(seen);
      throw new Error(`waited ${limitMs} ms for ${what}, last saw: ${text.length > 4000 ? text.slice(-4000) : text}`);
    }
    await sleep(25);
  }
}
