import type { Customer } from "./events.gen.ts";
import { count, plural } from "./ui/format.tsx";

/** Rows of the page of customers: a sync brings some thousands, and nobody reads on after these. */
export const maxShown = 200;

const { compare } = new Intl.Collator("en-GB");

/** By name. The server's order may be another, for other letters: this one stays when a name changes. */
export const sorted = (customers: readonly Customer[]): Customer[] =>
  [...customers].sort((a, b) => compare(a.name, b.name) || compare(a.id, b.id));

export interface Found {
  /** How many have every word of the search in their name, city or e-mail address. */
  readonly count: number;
  /** The first of them, at most maxShown. */
  readonly shown: readonly Customer[];
}

export function search(customers: readonly Customer[], words: string): Found {
  const wanted = words.toLowerCase().split(/\s+/);
  const found = customers.filter(({ name, city, email }) => {
    const text = `${name} ${city} ${email}`.toLowerCase();
    return wanted.every((word) => text.includes(word));
  });
  return { count: found.length, shown: found.slice(0, maxShown) };
}

/** How many customers are shown of those that a search has found, and of all. */
export function extent(found: number, all: number): string {
  if (found > maxShown) return `${count(maxShown)} of ${count(found)}, search for more`;
  return found < all ? `${count(found)} of ${plural(all, "customer")}` : plural(all, "customer");
}
