import { type ChildProcess, spawn } from "node:child_process";
import { createHmac, randomBytes } from "node:crypto";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { inject } from "vitest";
import type { Cursor } from "../../src/types.ts";
import { until } from "./until.ts";

/** An event to publish: the class follows from type and key, as in DefaultClassify. */
export interface Event {
  type: string;
  payload?: unknown;
  key?: string;
  except?: string;
}

/** A line of what the hub has seen: see server/journal.go. */
export interface Line {
  what: "attempt" | "connect" | "disconnect" | "message";
  at: number;
  lastEventTs?: string;
  epoch?: string;
  device?: string;
  user?: string;
  conn?: string;
  verdict?: "fresh" | "resumed" | "gap";
  reason?: string;
  code?: number;
  text?: string;
}

/** The hub under test, in a process of its own. */
export class Server {
  port = 0;
  /** What it has written to its standard error, of all its lives. */
  errors = "";
  #process: ChildProcess | undefined;
  readonly #secret = randomBytes(32).toString("hex");

  readonly #flags: string[];

  constructor(flags: string[]) {
    this.#flags = flags;
  }

  /** Starts it, on another port than the last time: who must find it again goes through the proxy. */
  async start(): Promise<void> {
    const child = spawn(join(inject("workshop"), "server"), ["-origin", "http://127.0.0.1:*", ...this.#flags], {
      env: { ...process.env, E2E_SECRET: this.#secret },
      stdio: ["pipe", "pipe", "pipe"], // it ends with its standard input
    });
    this.#process = child;
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      this.errors += text;
    });
    this.port = await new Promise<number>((resolve, reject) => {
      child.once("error", reject);
      child.once("exit", (code, signal) => reject(new Error(`server ended (${code ?? signal}): ${this.errors}`)));
      createInterface(child.stdout).once("line", (line) => resolve(Number(JSON.parse(line).addr.split(":").at(-1))));
    });
  }

  /** SIGTERM: it says 1012 to everyone and ends. SIGKILL: it says nothing. */
  async stop(signal: "SIGTERM" | "SIGKILL" = "SIGTERM"): Promise<void> {
    const child = this.#process;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const ended = new Promise<void>((resolve) => child.once("exit", () => resolve()));
    child.kill(signal);
    await ended;
    if (signal === "SIGTERM" && child.exitCode !== 0)
      throw new Error(`server: exit status ${child.exitCode ?? child.signalCode}: ${this.errors}`);
  }

  async restart(signal?: "SIGTERM" | "SIGKILL"): Promise<void> {
    await this.stop(signal);
    await this.start();
  }

  /** A token for a user that is good for so many seconds; negative: that has ended. */
  token(user: string, seconds = 3600): string {
    const now = Math.floor(Date.now() / 1000);
    const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString("base64url");
    const claims = { iss: "usercast-e2e", aud: "usercast-e2e", sub: user, exp: now + seconds };
    const body = `${part({ alg: "HS256", typ: "JWT" })}.${part(claims)}`;
    return `${body}.${createHmac("sha256", this.#secret).update(body).digest("base64url")}`;
  }

  /** Publishes events one after another and returns their timestamps. Without a user: to everyone. */
  publish(user: string | null, events: Event[]): Promise<string[]> {
    return this.#ask("POST", "/publish", JSON.stringify({ user, events }));
  }

  /** Returns how many connections it closed, with 4403. */
  disconnect(user: string, reason: string): Promise<number> {
    return this.#ask("POST", `/disconnect?${new URLSearchParams({ user, reason })}`);
  }

  /** Where a user's events have got to. */
  cursor(user: string): Promise<Cursor> {
    return this.#ask("GET", `/cursor?${new URLSearchParams({ user })}`);
  }

  connections(user: string): Promise<number> {
    return this.#ask("GET", `/connections?${new URLSearchParams({ user })}`);
  }

  stats(): Promise<Record<string, unknown>> {
    return this.#ask("GET", "/stats");
  }

  /** What the hub has seen since it was started last. */
  async journal(what?: Line["what"]): Promise<Line[]> {
    const lines: Line[] = await this.#ask("GET", "/journal");
    return what ? lines.filter((line) => line.what === what) : lines;
  }

  /** Waits until the hub has so many connections of a user. */
  async connected(user: string, count: number): Promise<void> {
    await until(
      () => this.connections(user),
      (n) => n === count,
      `${count} connections of ${user}`,
    );
  }

  async #ask<T>(method: string, path: string, body?: string): Promise<T> {
    const response = await fetch(`http://127.0.0.1:${this.port}${path}`, { method, ...(body && { body }) });
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${await response.text()}`);
    return (await response.json()) as T;
  }
}
