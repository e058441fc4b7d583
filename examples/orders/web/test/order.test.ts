import { environmentManager } from "@tanstack/react-query";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { unanswered } from "../src/answers.ts";
import * as people from "./order/acts.ts";
import { goOn } from "./order/jobs.ts";
import { Page } from "./order/page.ts";
import { type Random, Server, type Told } from "./order/server.ts";
import { shownOf, truthOf } from "./order/truth.ts";

// Events come in any order: changes that do not depend on each other are not told in the
// order of their commits, nor are those of several processes; a device knows its own changes
// before and not by events, and answers of requests come in between. Whatever the order, in
// the end the page shows what is so.

beforeEach(() => {
  environmentManager.setIsServer(() => false); // there is no window here, and on a server nothing is fetched again
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

/** Numbers that look random, and are the same for the same seed. */
function randomOf(seed: number): Random {
  let state = seed * 2_654_435_761;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296) * below);
  };
}

/** A history as it goes: what is done on the server, and on its way to the page. */
class Course {
  readonly random: Random;
  readonly server: Server;
  readonly page: Page;
  readonly told: Told[] = [];
  readonly answers: people.Done["answer"][] = [];
  readonly log: string[] = [];

  constructor(seed: number) {
    this.random = randomOf(seed);
    this.server = new Server(this.random);
    this.page = new Page(this.server);
  }

  #say = (what: string) => this.log.push(what);

  /** Somebody does something: this page, or another device. */
  act() {
    const own = this.random(3) === 0;
    const act = people.acts[this.random(people.acts.length)];
    const done = act?.(this.server, own ? this.page : null);
    if (!done) return;
    this.#say(`${own ? "own" : "other's"} ${act?.name}`);
    this.told.push(...done.told);
    if (own) this.answers.push(done.answer);
  }

  work() {
    const active = this.server.active();
    const job = active[this.random(active.length || 1)];
    if (!job) return;
    const told = goOn(this.server, job);
    this.#say(`job ${job.id}: ${told.map(({ type }) => type).join(" ")}`);
    this.told.push(...told);
  }

  hear() {
    const at = this.random(this.told.length || 1);
    const told = this.told[at];
    if (!told) return;
    // Some are heard again, some time.
    if (this.random(4)) this.told.splice(at, 1);
    this.#say(`hears ${JSON.stringify(told)}`);
    this.page.hear(told);
  }

  async answered() {
    await ran();
    const [answer] = this.answers.splice(this.random(this.answers.length || 1), 1);
    if (!answer) return;
    const lost = this.random(8) === 0;
    this.#say(lost ? "an answer is lost" : `is answered: ${answer}`);
    if (lost) unanswered(this.page);
    else answer(this.page);
    await ran();
  }

  /** A request is read by the server, or answered. */
  async network() {
    await ran();
    const asked = [...this.page.asked];
    const one = asked[this.random(asked.length || 1)];
    if (!one) return;
    const what = this.random(12);
    this.#say(`network: ${what}`);
    if (what < 5) one.read();
    else one.answer(what === 5);
    await ran();
  }

  /** Lists are fetched, for whatever reason; or events are lost. */
  async disturb() {
    await ran();
    if (this.random(4)) {
      const queries = this.page.cache.getQueryCache().getAll();
      const query = queries[this.random(queries.length)];
      this.#say(`fetches ${query?.queryKey}`);
      if (query) this.page.cache.invalidateQueries({ queryKey: query.queryKey });
    } else {
      this.#say("gap");
      this.told.length = 0;
      this.page.gap();
    }
  }

  async step() {
    const what = this.random(20);
    if (what < 4) this.act();
    else if (what < 6) this.work();
    else if (what < 11) this.hear();
    else if (what < 13) await this.answered();
    else if (what < 17) await this.network();
    else if (what < 18) await this.disturb();
    // Otherwise several things happen in the same moment.
    else await vi.advanceTimersByTimeAsync(this.random(3) * 130);
  }

  /** Everything that is on its way arrives. */
  async rest() {
    while (this.told.length || this.answers.length) {
      if (this.random(2)) this.hear();
      else await this.answered();
      if (this.random(3) === 0) await this.network();
      if (this.random(3) === 0) await vi.advanceTimersByTimeAsync(this.random(300));
    }
    await this.page.settle();
  }
}

/** A browser lets nothing else happen before what an answer or a timer sets off has run. Only events may come in one go. */
const ran = () => vi.advanceTimersByTimeAsync(0);

const seeds = Number(process.env.ORDERS_SEEDS ?? 300);
const first = Number(process.env.ORDERS_SEED ?? 1);

/** Short histories: what people do, what becomes of the first job, each with the numbers that decide how; "heard": in order, so far. */
const shorts = {
  "an order": ["createOrders", "updateOrders", "createOrders", "updateOrders", "deleteOrders 0 0 1"],
  "many orders": ["createOrders 5", "updateOrders", "deleteOrders"],
  "an order that is submitted": ["createOrders", "submit", "heard", "job 1", "job 3"],
  "a submission that fails": ["createOrders", "submit", "job 1", "job 2 1"],
  "work on a submitted order": ["createOrders", "submit", "job 1", "heard", "job 3", "workOnOrder 0 1"],
  "work on an order to its end": [
    "createOrders",
    "submit",
    "job 1",
    "job 3",
    "heard",
    "workOnOrder 0 1",
    "job 1",
    "job 3",
  ],
  "a record": ["createRecord", "updateRecord", "createRecord", "updateRecord", "deleteRecord"],
  "work on a record": ["createRecord", "workOnRecord 0 1", "job 1", "job 3"],
  notifications: ["createOrders", "submit", "job 1", "heard", "job 2 1", "read", "importRecords"],
  "a notification that is read": ["importRecords", "read 0 1", "importRecords"],
  "a customer": ["updateCustomer", "job 1", "heard", "job 2 1", "updateCustomer 1"],
  "a customer, well": ["updateCustomer", "job 1", "job 3"],
  "a job that is retried": ["sync", "job 1", "job 0", "job 1", "job 2 1"],
  "a job that is given back": ["sync", "job 1", "job 1", "job 1"],
  "one sync after another": ["sync", "job 1", "heard", "job 2 1", "sync", "job 1"],
};

/** Makes the first steps of a history on a page that has its lists, and returns what is still to be heard. */
async function makeShort(steps: readonly string[]) {
  let script: number[] = [];
  const server = new Server(() => script.shift() ?? 0);
  const page = new Page(server);
  await page.settle();
  const told: Told[] = [];
  for (const step of steps) {
    const [what = "", ...numbers] = step.split(" ");
    script = numbers.map(Number);
    if (what === "heard") {
      for (const one of told.splice(0)) page.hear(one);
      await page.settle();
      continue;
    }
    const act = Object.entries(people).find(([name]) => name === what)?.[1] as people.Act | undefined;
    const [job] = server.active();
    const more = act ? act(server, null)?.told : job && goOn(server, job);
    if (!more) throw new Error(`${step} does not go after ${steps}`);
    told.push(...more);
  }
  return { server, page, told };
}

function permutations<T>(of: readonly T[]): T[][] {
  if (of.length < 2) return [[...of]];
  return of.flatMap((one, i) => permutations(of.toSpliced(i, 1)).map((rest) => [one, ...rest]));
}

/** All orders of up to five events, and some of more. */
function orders(events: number): number[][] {
  const all = permutations(Array.from({ length: events }, (_, i) => i));
  const every = Math.ceil(all.length / 120);
  return all.filter((_, i) => i % every === 0);
}

for (const [name, all] of Object.entries(shorts))
  test(`${name}: its events in any order, once and twice, in one go and with fetches in between`, async () => {
    for (let length = 1; length <= all.length; length++) {
      const steps = all.slice(0, length);
      const { told, page } = await makeShort(steps);
      page.end();
      for (const [i, order] of orders(told.length).entries())
        await hearShort(steps, order, ["in one go", "twice", "with fetches"][i % 3] ?? "");
    }
  });

async function hearShort(steps: readonly string[], order: readonly number[], way: string) {
  const { server, page, told } = await makeShort(steps);
  for (const i of way === "twice" ? [...order, ...order.toReversed()] : order) {
    page.hear(told[i] as Told);
    if (way === "with fetches") await page.settle();
  }
  await page.settle();
  const what = `${steps}: ${order.map((i) => told[i]?.type)} ${way}`;
  expect(shownOf(page, server), what).toEqual(truthOf(page, server));
  page.end();
}

test(
  `whatever the order of events, answers and fetches, at rest the page shows what is so: ${seeds} histories`,
  async () => {
    for (let seed = first; seed < first + seeds; seed++) {
      const course = new Course(seed);
      const { page, server, log } = course;
      // Half of the pages have their lists before anything happens.
      if (seed % 2) await page.settle();
      for (let stage = 0; stage < 3; stage++) {
        for (let i = 0; i < 40; i++) await course.step();
        await course.rest();
        try {
          expect(shownOf(page, server)).toEqual(truthOf(page, server));
        } catch (error) {
          console.error(`ORDERS_SEED=${seed} ORDERS_SEEDS=1:\n${log.join("\n")}`);
          throw error;
        }
        log.push("rest");
      }
      page.end();
    }
  },
  60_000 + 100 * seeds,
);
