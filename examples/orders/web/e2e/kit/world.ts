import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Browser, type BrowserContextOptions, chromium } from "playwright-core";
import { afterAll, expect, inject, onTestFinished } from "vitest";
import { Network } from "../../../../../js/e2e/kit/network.ts";
import { Device } from "./device.ts";
import { countRequests } from "./screen.ts";
import { Server } from "./server.ts";
import { Steps } from "./steps.ts";
import { Truth } from "./truth.ts";

/** Nothing of the browser's own goes over the network, and nothing needs a GPU or a sandbox. */
const chromiumArgs = [
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
let home = "";

afterAll(async () => {
  await (await browser)?.close();
  browser = undefined;
  if (home) await rm(home, { recursive: true, force: true, maxRetries: 5 });
});

/** The file's browser: one for all its tests, each device of which has a context of its own. */
function theBrowser(): Promise<Browser> {
  browser ??= (async () => {
    home = await mkdtemp(join(tmpdir(), "browser-"));
    return chromium.launch({
      executablePath: inject("chromium"),
      headless: true,
      args: chromiumArgs,
      env: { ...process.env, TMPDIR: home, XDG_CONFIG_HOME: home, XDG_CACHE_HOME: home },
    });
  })();
  return browser;
}

/** A server on a database of its own and devices that use it, for one test. Everything ends with the test. */
export class World {
  readonly server: Server;
  readonly #data: string;
  readonly #devices: Device[] = [];
  readonly #ends: (() => Promise<void>)[] = [];

  private constructor(server: Server, data: string) {
    this.server = server;
    this.#data = data;
  }

  static open(...flags: string[]): Promise<World> {
    return World.openWith({}, ...flags);
  }

  /** The same, with variables in the server's environment. */
  static async openWith(env: Record<string, string>, ...flags: string[]): Promise<World> {
    const data = await mkdtemp(join(tmpdir(), "orders-"));
    const databases = inject("databases");
    const where = databases ? ["-dsn", await (await fetch(databases)).text()] : ["-data", data];
    const world = new World(new Server([...where, ...flags], env), data);
    onTestFinished(({ task }) => world.#close(task.result?.state === "fail"));
    await world.server.start();
    return world;
  }

  /** The truth about a user. */
  truth(user = "anna"): Promise<Truth> {
    return new Truth(this.server, user).login();
  }

  /** Opens the page on a device of its own, and logs in unless told not to. */
  async device(
    user: string | null = "anna",
    options: BrowserContextOptions & { steps?: boolean } = {},
  ): Promise<Device> {
    const { steps: stepwise, ...contextOptions } = options;
    const target = () => this.server.port;
    const steps = stepwise ? new Steps(target) : undefined;
    await steps?.listen();
    const network = new Network(steps ? () => steps.port : target);
    await network.listen();
    const context = await (await theBrowser()).newContext({
      viewport: { width: 1280, height: 900 },
      ...contextOptions,
    });
    const device = new Device(await context.newPage(), network, steps);
    await countRequests(device.page);
    this.#devices.push(device);
    this.#ends.push(async () => {
      await context.close();
      await network.close();
      await steps?.close();
    });
    await device.visit();
    if (user !== null) {
      await device.login(user);
      await device.live();
    }
    return device;
  }

  /** Opens the page in another tab of a device, whose session it shares. */
  async tab(of: Device): Promise<Device> {
    const device = new Device(await of.page.context().newPage(), of.network);
    await countRequests(device.page);
    this.#devices.push(device);
    await device.visit();
    await device.live();
    return device;
  }

  async #close(failed: boolean) {
    const troubles = this.#devices.flatMap((device) => device.troubles());
    await Promise.all(this.#ends.map((end) => end()));
    await this.server.stop("SIGTERM").finally(() => rm(this.#data, { recursive: true, force: true, maxRetries: 5 }));
    if (failed && this.server.errors) console.error(`the server said:\n${this.server.errors.slice(-4000)}`);
    // Whatever a test is about: no page may complain of anything.
    expect(troubles).toEqual([]);
    // Jobs may fail, for tests have them fail: nothing else may.
    expect(
      this.server.errors.split("\n").filter((line) => /ERROR|panic/.test(line) && !line.includes("job failed")),
    ).toEqual([]);
  }
}
