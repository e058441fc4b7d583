import { type ChildProcess, spawn } from "node:child_process";
import { access } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { TestProject } from "vitest/node";

declare module "vitest" {
  interface ProvidedContext {
    database: "sqlite" | "postgres";
    /** The server to test. */
    orders: string;
    chromium: string;
    /** Where a new database's URL is answered. "" for SQLite. */
    databases: string;
  }
}

/** Finds what scripts/orders-e2e.sh has built, and starts PostgreSQL for the tests that want it. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const workshop = process.env.ORDERS_E2E_WORKSHOP;
  if (!workshop)
    throw new Error("ORDERS_E2E_WORKSHOP is not set: run scripts/orders-e2e.sh, which builds what is tested");
  const chromium = process.env.CHROMIUM ?? "/usr/bin/chromium";
  for (const [what, path] of [
    ["Chromium", chromium],
    ["server", join(workshop, "orders")],
  ] as const)
    await access(path).catch(() => {
      throw new Error(`no ${what} at ${path}: run scripts/orders-e2e.sh, or set CHROMIUM to where a browser is`);
    });
  project.provide("orders", join(workshop, "orders"));
  project.provide("chromium", chromium);
  const config = project.config.provide as { database: string };
  if (config.database === "sqlite") {
    project.provide("databases", "");
    return async () => {};
  }
  const postgres = new Postgres(join(workshop, "postgres"));
  project.provide("databases", await postgres.listen());
  return () => postgres.close();
}

/** The command in e2e/postgres, for workers that are other processes: over HTTP. */
class Postgres {
  #made = 0;
  #ended = false;
  readonly #process: ChildProcess;
  readonly #waiting: ((url: string) => void)[] = [];
  readonly #server: Server;

  constructor(path: string) {
    const child = spawn(path, { stdio: ["pipe", "pipe", "inherit"] }); // it ends with its standard input
    child.once("exit", () => {
      this.#ended = true;
    });
    createInterface(child.stdout).on("line", (line) => this.#waiting.shift()?.(line));
    this.#process = child;
    this.#server = createServer((_, response) => {
      this.#make().then((url) => response.end(url));
    });
  }

  async listen(): Promise<string> {
    await new Promise<void>((resolve) => this.#server.listen(0, "127.0.0.1", resolve));
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/`;
  }

  #make(): Promise<string> {
    return new Promise((resolve) => {
      this.#waiting.push(resolve);
      this.#process.stdin?.write(`orders${++this.#made}\n`);
    });
  }

  async close(): Promise<void> {
    this.#server.close();
    this.#server.closeAllConnections();
    if (this.#ended) return;
    const ended = new Promise<void>((resolve) => this.#process.once("exit", () => resolve()));
    this.#process.stdin?.end();
    await ended;
  }
}
