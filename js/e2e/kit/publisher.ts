import type { Published, Scope } from "./oracle.ts";
import type { Server } from "./server.ts";

export interface Draft {
  scope?: Scope;
  user?: string;
  class?: Published["class"];
  key?: string;
  except?: string;
  /** How many bytes more its payload has. */
  pad?: number;
}

const types = { buffered: "PENDING_UPDATED", transient: "SYNC_PROGRESS", latest: "JOB_PROGRESS" };

/** Publishes events with numbers, and remembers them for the oracle. One after another: so timestamps are in order. */
export class Publisher {
  readonly published: Published[] = [];
  readonly #server: Server;
  readonly #user: string;
  #known = 0;
  #turn: Promise<unknown> = Promise.resolve();

  constructor(server: Server, user: string) {
    this.#server = server;
    this.#user = user;
  }

  /** Publishes one event for each draft, of one scope and user. */
  publish(...drafts: Draft[]): Promise<void> {
    const turn = this.#turn.then(() => this.#now(drafts));
    this.#turn = turn.catch(() => {});
    return turn;
  }

  burst(count: number, draft: Draft = {}): Promise<void> {
    return this.publish(...Array.from({ length: count }, () => draft));
  }

  async #now(drafts: Draft[]) {
    const [{ scope = "user", user = this.#user } = {}] = drafts;
    const events = drafts.map(({ class: kind = "buffered", key, except, pad }, i) => ({
      type: types[kind],
      payload: { n: this.published.length + i, ...(pad && { pad: "x".repeat(pad) }) },
      ...(key !== undefined && { key }),
      ...(except !== undefined && { except }),
    }));
    const stamps = await this.#server.publish(scope === "all" ? null : user, events);
    drafts.forEach(({ class: kind = "buffered", key, except }, i) => {
      this.published.push({
        scope,
        user: scope === "all" ? null : user,
        timestamp: stamps[i] as string,
        class: kind,
        n: this.published.length,
        ...(key !== undefined && { key }),
        ...(except !== undefined && { except }),
      });
    });
  }

  /** The hub has been restarted: it knows no values any more. */
  forget(): void {
    this.#known = this.published.length;
  }

  /** The newest number of each key that no buffered event has ended, as a page must have it at rest. */
  values(): Map<string, number | undefined> {
    const values = new Map<string, number | undefined>();
    for (const { key, class: kind, n, scope, user } of this.published.slice(this.#known))
      if (key !== undefined && scope === "user" && user === this.#user)
        values.set(key, kind === "latest" ? n : undefined);
    return values;
  }
}
