import type { CDPSession, Page } from "playwright-core";
import type { ConnectionState, Cursor, Meta } from "../../src/types.ts";
import type { Answer, Entry, PageRecord, Start } from "./record.ts";
import { until } from "./until.ts";

export interface Heard {
  payload: unknown;
  meta: Meta;
}

/** A page with a client, seen from the test. */
export class Device {
  /** Why getToken was asked, in order. */
  readonly asked: string[] = [];
  /** What getToken answers. */
  answer: (reason: string) => Answer | Promise<Answer>;

  readonly page: Page;

  constructor(page: Page, answer: (reason: string) => Answer | Promise<Answer>) {
    this.page = page;
    this.answer = answer;
  }

  /** Loads a page of pages/. */
  async load(address: string): Promise<void> {
    await this.page.exposeFunction("askToken", (reason: string) => {
      this.asked.push(reason);
      return this.answer(reason);
    });
    await this.visit(address);
  }

  /** Loads it again, or another: window.e2e is new then. */
  async visit(address: string): Promise<void> {
    await this.page.goto(address);
    await this.page.waitForFunction(() => window.e2e, undefined, { polling: 25 });
  }

  start(options: Start): Promise<void> {
    return this.page.evaluate((o) => window.e2e.start(o), options);
  }

  record(): Promise<PageRecord> {
    return this.page.evaluate(() => window.e2e.record);
  }

  async entries<K extends Entry["kind"]>(kind: K): Promise<Extract<Entry, { kind: K }>[]> {
    const { entries } = await this.record();
    return entries.filter((entry): entry is Extract<Entry, { kind: K }> => entry.kind === kind);
  }

  events(): Promise<Heard[]> {
    return this.entries("event");
  }

  /** The numbers `n` of the payloads of the events heard. */
  async numbers(): Promise<number[]> {
    return (await this.events()).map(({ payload }) => (payload as { n: number }).n);
  }

  async gaps(): Promise<string[]> {
    return (await this.entries("gap")).map(({ reason }) => reason);
  }

  async errors(): Promise<string[]> {
    return (await this.entries("error")).map(({ text }) => text);
  }

  state(): Promise<ConnectionState> {
    return this.page.evaluate(() => window.e2e.client?.state as ConnectionState);
  }

  cursor(): Promise<Cursor | null> {
    return this.page.evaluate(() => window.e2e.client?.cursor ?? null);
  }

  /** How many sockets the page has made. */
  async sockets(): Promise<number> {
    return (await this.record()).sockets.length;
  }

  /** Waits until the client is connected and has all that it missed. */
  live(limitMs?: number): Promise<ConnectionState> {
    return until(
      () => this.state(),
      (state) => state.phase === "connected" && !state.stale,
      "the client to be live",
      limitMs,
    );
  }

  until(good: (state: ConnectionState) => boolean, what: string, limitMs?: number): Promise<ConnectionState> {
    return until(() => this.state(), good, what, limitMs);
  }

  /** Waits until so many events have been heard. */
  async hears(count: number, limitMs?: number): Promise<Heard[]> {
    await until(
      () => this.page.evaluate(() => window.e2e.heard),
      (heard) => heard >= count,
      `${count} events`,
      limitMs,
    );
    return this.events();
  }

  /** Waits until the client's cursor has reached a timestamp. */
  async reaches(timestamp: string, limitMs?: number): Promise<void> {
    await until(
      () => this.cursor(),
      (cursor) => cursor !== null && cursor.lastEventTs >= timestamp,
      `the cursor to reach ${timestamp}`,
      limitMs,
    );
  }

  /** Calls one of the client's methods that take nothing. */
  call(method: "connect" | "close" | "reconnect" | "destroy"): Promise<void> {
    return this.page.evaluate((name) => window.e2e.client?.[name](), method);
  }

  /** Lets the page's own clock pass: the only way to see that something does not happen. */
  idle(ms: number): Promise<void> {
    return this.page.evaluate((time) => new Promise<void>((resolve) => setTimeout(resolve, time)), ms);
  }

  cdp(): Promise<CDPSession> {
    return this.page.context().newCDPSession(this.page);
  }
}
