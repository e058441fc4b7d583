import { mkdtemp } from "node:fs/promises";
import { join } from "node:path";
import { type Browser, type BrowserContext, chromium } from "playwright-core";
import { afterAll, inject, onTestFinished } from "vitest";
import { Device } from "./device.ts";
import { Files } from "./files.ts";
import { Network } from "./network.ts";
import type { Start } from "./record.ts";
import { Server } from "./server.ts";

/** Nothing of the browser's own goes over the network, and nothing needs a GPU or a sandbox. */
export const chromiumArgs = [
  "--headless",
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

let browser: Promise<Browser> | undefined;

afterAll(async () => {
  await (await browser)?.close();
  browser = undefined;
});

/** The file's browser: one for all its tests, each of which has a context of its own. */
export async function theBrowser(): Promise<Browser> {
  browser ??= launch();
  return browser;
}

/** Launches a Chromium that keeps everything in the workshop: profile, crash reports, cache. */
export async function launch(args: string[] = [], without: string[] = []): Promise<Browser> {
  const home = await mkdtemp(join(inject("workshop"), "browser-"));
  return chromium.launch({
    executablePath: inject("chromium"),
    headless: true,
    args: [...chromiumArgs, ...args],
    ignoreDefaultArgs: without,
    env: { ...process.env, TMPDIR: home, XDG_CONFIG_HOME: home, XDG_CACHE_HOME: home },
  });
}

/** A hub, a network before it and pages, for one test. Everything ends with the test. */
export class World {
  readonly server: Server;
  readonly network: Network;
  readonly files = new Files();
  readonly user = "alice";
  #context: BrowserContext | undefined;

  private constructor(flags: string[]) {
    this.server = new Server(flags);
    this.network = new Network(() => this.server.port);
  }

  static async open(...flags: string[]): Promise<World> {
    const world = new World(flags);
    onTestFinished(() => world.#close());
    await Promise.all([world.server.start(), world.network.listen(), world.files.listen()]);
    return world;
  }

  /** Where pages find the hub, with the proxy between. */
  get url(): string {
    return `ws://127.0.0.1:${this.network.port}/ws`;
  }

  /** The test's browser context, as a user's profile is. */
  async context(): Promise<BrowserContext> {
    this.#context ??= await (await theBrowser()).newContext();
    return this.#context;
  }

  /** Gives the context the user's token as a cookie, as a login would. */
  async login(user = this.user): Promise<void> {
    const value = this.server.token(user);
    // A cookie is its host's, whatever the port: the hub's too.
    await (await this.context()).addCookies([{ name: "token", value, url: this.files.origin, httpOnly: true }]);
  }

  /** Opens a page and starts nothing. */
  async page(where: { path?: string; origin?: string; context?: BrowserContext; user?: string } = {}): Promise<Device> {
    const { path = "/core.html", origin = this.files.origin, user = this.user } = where;
    const page = await (where.context ?? (await this.context())).newPage();
    const device = new Device(page, () => ({ token: this.server.token(user) }));
    await device.load(origin + path);
    return device;
  }

  /** Opens a page whose client connects. Retries come fast, unless the test says otherwise. */
  async device(options: Partial<Start> = {}, user = this.user): Promise<Device> {
    const device = await this.page({ user });
    await device.start(this.start(options));
    return device;
  }

  start(options: Partial<Start> = {}): Start {
    return { url: this.url, backoff: { minMs: 50, maxMs: 300 }, ...options };
  }

  async #close() {
    await this.#context?.close();
    await Promise.all([this.network.close(), this.files.close()]);
    await this.server.stop("SIGKILL");
  }
}

/** `count` buffered events, whose payloads are numbered. */
export function numbered(count: number, from = 0, type = "PENDING_CREATED") {
  return Array.from({ length: count }, (_, i) => ({ type, payload: { n: from + i } }));
}

/** The numbers from `from` to `to`, `to` left out. */
export const range = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => from + i);
