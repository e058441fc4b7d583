import { type ChildProcess, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { readFile } from "node:fs/promises";
import { createInterface } from "node:readline";
import { inject } from "vitest";

/** An event of the catalogue, as the server itself knows it. */
export interface Definition {
  name: string;
  class: "buffered" | "transient" | "latest";
  /** How many of it this server has sent. */
  sent: number;
}

/** The server under test with its ERP, in processes of their own. */
export class Server {
  port = 0;
  /** What it has written to its standard error, of all its lives. */
  errors = "";
  #process: ChildProcess | undefined;
  readonly #admin = randomBytes(32).toString("hex");
  readonly #flags: string[];
  readonly #env: Record<string, string>;

  /** The ERP answers at once and never fails by chance, unless flags say otherwise. */
  constructor(flags: string[], env: Record<string, string> = {}) {
    this.#env = env;
    this.#flags = ["-erp-latency", "0", "-erp-failures", "0", ...flags];
  }

  /** Starts it; again, on the same port. */
  async start(): Promise<void> {
    const child = spawn(inject("orders"), ["-addr", `127.0.0.1:${this.port}`, ...this.#flags], {
      env: { ...process.env, ...this.#env, ORDERS_ADMIN_TOKEN: this.#admin },
      stdio: ["ignore", "pipe", "pipe"],
    });
    this.#process = child;
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      this.errors += text;
    });
    this.port = await new Promise<number>((resolve, reject) => {
      child.once("error", reject);
      child.once("exit", (code, signal) => reject(new Error(`server ended (${code ?? signal}): ${this.errors}`)));
      createInterface(child.stdout).on("line", (line) => {
        const [, port] = /^orders: open http:\/\/127\.0\.0\.1:(\d+)/.exec(line) ?? [];
        if (port) resolve(Number(port));
      });
    });
  }

  get origin(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  async stop(signal: "SIGTERM" | "SIGKILL" = "SIGTERM"): Promise<void> {
    const child = this.#process;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const ended = new Promise<void>((resolve) => child.once("exit", () => resolve()));
    child.kill(signal);
    await ended;
    if (signal === "SIGTERM" && child.exitCode !== 0)
      throw new Error(`server: exit status ${child.exitCode ?? child.signalCode}: ${this.errors}`);
  }

  /** Every event that is defined, from the running server's catalogue. */
  catalogue(): Promise<Definition[]> {
    return this.#ask("GET", "/events");
  }

  /** Sends an event past the application, as an operator can. */
  send(user: string, type: string, payload: unknown): Promise<{ timestamp: string }> {
    return this.#ask("POST", "/send", { user, type, payload });
  }

  /** The status that an operator's event gets. */
  async sendStatus(user: string, type: string, payload: unknown): Promise<number> {
    return (await this.#request("POST", "/send", { user, type, payload })).status;
  }

  stats(): Promise<Record<string, unknown>> {
    return this.#ask("GET", "/stats");
  }

  /** What was left on the server's heap after its last collection, in MiB, if it was started with GODEBUG=gctrace=1. */
  heap(): number {
    return Number([...this.errors.matchAll(/^gc \d+ @.* \d+->\d+->(\d+) MB,/gm)].at(-1)?.[1]);
  }

  /** What the server's process holds of the machine's memory, in KiB. */
  async memory(): Promise<number> {
    const status = await readFile(`/proc/${this.#process?.pid}/status`, "utf8");
    return Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1]);
  }

  async #ask<T>(method: string, path: string, body?: unknown): Promise<T> {
    const response = await this.#request(method, path, body);
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${await response.text()}`);
    return (await response.json()) as T;
  }

  #request(method: string, path: string, body?: unknown): Promise<Response> {
    return fetch(`${this.origin}/admin/usercast${path}`, {
      method,
      headers: { Authorization: `Bearer ${this.#admin}`, "Content-Type": "application/json" },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
  }
}
