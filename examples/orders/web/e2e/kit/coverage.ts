import { until } from "../../../../../js/e2e/kit/until.ts";
import type { Device } from "./device.ts";
import { difference, painted, screen, still } from "./screen.ts";
import type { Definition } from "./server.ts";

/** How an event was seen. */
export interface Seen {
  /** How many of it came. */
  count: number;
  /** What the first that changed anything changed. */
  change: string[];
}

/**
 * Lets events reach a device one by one and notes what each changes on its screen: before
 * it passes the screen stands still, so that the change is this event's and no other's.
 */
export class Observer {
  readonly seen = new Map<string, Seen>();
  readonly #device: Device;
  /** The time of the last event that has passed. */
  #passed: string;

  constructor(device: Device) {
    this.#device = device;
    this.#passed = device.frames.at(-1)?.timestamp ?? "";
    device.steps.holding = true;
  }

  /** Passes on all events up to a time, as `done` says it when everything has happened. */
  async watch(done: () => Promise<string | null>): Promise<void> {
    const { steps } = this.#device;
    for (;;) {
      const next = await until(
        async () => {
          if (steps.held[0]) return steps.held[0];
          const end = await done();
          return end !== null && this.#passed >= end ? "the end" : null;
        },
        Boolean,
        `the next event after ${this.#passed}`,
      );
      if (next === null || next === "the end") return;
      await this.#pass(next.type);
      this.#passed = next.timestamp;
    }
  }

  async #pass(type: string) {
    const seen = this.seen.get(type) ?? { count: 0, change: [] };
    this.seen.set(type, seen);
    seen.count++;
    const { page, frames } = this.#device;
    const heard = frames.length;
    const arrived = () =>
      until(
        () => frames.length,
        (count) => count > heard,
        `${type} to arrive`,
      );
    if (seen.change.length || type.startsWith("hub.")) {
      this.#device.steps.step();
      await arrived();
      return;
    }
    const before = await still(page);
    this.#device.steps.step();
    await arrived();
    await painted(page);
    // A list that has to be fetched takes a moment longer. What changes nothing is tried again when the next one comes.
    let after = await screen(page);
    if (!difference(before, after).length) after = await still(page);
    seen.change = difference(before, after).sort(weight);
  }
}

/** What has come before what has gone, and what says more first. */
const weight = (a: string, b: string) => (a[0] === b[0] ? b.length - a.length : a[0] === "+" ? -1 : 1);

/** The coverage as a table: each event, how often it was seen, what it changed. */
export function table(title: string, catalogue: Definition[], seen: Map<string, Seen>): string {
  const rows = catalogue.map(({ name, class: kind }) => {
    const { count = 0, change = [] } = seen.get(name) ?? {};
    const text = change.slice(0, 2).join("  ") || "NOTHING";
    return [name, kind, String(count), text.length > 110 ? `${text.slice(0, 109)}…` : text] as const;
  });
  const head = ["event", "class", "seen", "what changed on the other device's screen"] as const;
  const width = (i: 0 | 1 | 2) => Math.max(...[head, ...rows].map((row) => row[i].length));
  const line = (row: readonly [string, string, string, string]) =>
    `${row[0].padEnd(width(0))}  ${row[1].padEnd(width(1))}  ${row[2].padStart(width(2))}  ${row[3]}`;
  return [`Coverage on ${title}`, line(head), ...rows.map(line)].join("\n");
}
