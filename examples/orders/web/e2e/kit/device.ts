import type { Locator, Page, Request } from "playwright-core";
import type { Network } from "../../../../../js/e2e/kit/network.ts";
import { until } from "../../../../../js/e2e/kit/until.ts";
import type { Steps } from "./steps.ts";
import type { Truth } from "./truth.ts";

/** A frame that came from the hub. */
export interface Frame {
  type: string;
  payload: Record<string, unknown>;
  timestamp: string;
  class?: string;
  key?: string;
  scope?: string;
}

/** A page on a device of a user's. Everything is seen from outside: the page has no code for tests. */
export class Device {
  readonly page: Page;
  readonly network: Network;
  readonly #steps: Steps | undefined;
  /** All frames of all its sockets, in order. */
  readonly frames: Frame[] = [];
  /** Requests to the API, in order. */
  readonly requests: { method: string; path: string; status?: number }[] = [];
  /** How many WebSockets the page has opened. */
  sockets = 0;
  /** The names of all buttons that were to be seen when one was pressed, and of those that were. */
  readonly buttons = new Set<string>();
  readonly pressed = new Set<string>();
  readonly #troubles: string[] = [];
  /** What the console may say in this test, beside nothing. */
  #allowed: RegExp[] = [];

  constructor(page: Page, network: Network, steps?: Steps) {
    this.page = page;
    this.network = network;
    this.#steps = steps;
    page.on("websocket", (socket) => {
      this.sockets++;
      socket.on("framereceived", ({ payload }) => {
        const text = payload.toString();
        if (text.startsWith("{")) this.frames.push(JSON.parse(text));
      });
    });
    page.on("request", (request) => this.#asks(request));
    page.on("pageerror", (error) => this.#troubles.push(`uncaught: ${error.stack ?? error}`));
    page.on("crash", () => this.#troubles.push("the page crashed"));
    page.on("console", (message) => {
      const { url } = message.location();
      if (["error", "warning"].includes(message.type()))
        this.#troubles.push(`console.${message.type()}: ${message.text()} (${url})`);
    });
  }

  get origin(): string {
    return `http://127.0.0.1:${this.network.port}`;
  }

  get steps(): Steps {
    if (!this.#steps) throw new Error("this device was opened without { steps: true }");
    return this.#steps;
  }

  async visit(): Promise<void> {
    await this.page.goto(this.origin);
  }

  /** Allows what a browser itself says on its console when requests fail that must fail here. */
  allow(...patterns: RegExp[]) {
    this.#allowed.push(...patterns);
  }

  /** Allows what a browser says on its console while there is no network, or no server. */
  disturbed() {
    this.allow(/net::ERR_|WebSocket connection to/);
  }

  /** Takes the network away. */
  cut() {
    this.disturbed();
    this.network.refusing = true;
    this.network.cut();
  }

  heal() {
    this.network.refusing = false;
  }

  /** Presses "Try now", unless the page is quicker: after many losses in a row it waits longer and longer. */
  async tryNow(): Promise<void> {
    const button = this.page.getByRole("button", { name: "Try now" });
    await button.or(this.page.getByTestId("connection-badge").getByText("Live")).waitFor();
    await button.click({ timeout: 2_000 }).catch(() => {});
  }

  /** Errors, warnings, policy violations, unhandled rejections: all that the test has not allowed. */
  troubles(): string[] {
    return this.#troubles.filter((trouble) => !this.#allowed.some((pattern) => pattern.test(trouble)));
  }

  /** The application's events, without the hub's own messages. */
  get events(): Frame[] {
    return this.frames.filter(({ type }) => !type.startsWith("hub."));
  }

  /** Waits for an event after the first `from` frames. */
  async hears(type: string, good: (frame: Frame) => boolean = () => true, from = 0, limitMs?: number): Promise<Frame> {
    const frame = await until(
      () => this.frames.slice(from).find((one) => one.type === type && good(one)),
      (found) => found,
      `${type} on ${this.origin}`,
      limitMs,
    );
    return frame as Frame;
  }

  #asks(request: Request) {
    const { pathname } = new URL(request.url());
    if (!pathname.startsWith("/api/")) return;
    const entry: (typeof this.requests)[number] = { method: request.method(), path: pathname };
    this.requests.push(entry);
    request.response().then(
      (response) => {
        if (response) entry.status = response.status();
      },
      () => {},
    );
  }

  /** Waits until the hub has said that this device has everything, after the first `from` frames, and the page says so. */
  async live(from = 0, limitMs = 30_000): Promise<void> {
    await this.hears("hub.live", undefined, from, limitMs);
    await this.badge("Live");
  }

  /** Waits until the device has heard everything up to a time. */
  async reaches(timestamp: string): Promise<void> {
    await until(
      () => this.frames.findLast((frame) => frame.timestamp && frame.scope !== "all")?.timestamp ?? "",
      (last) => last >= timestamp,
      `${this.origin} to reach ${timestamp}`,
    );
  }

  // What follows is the page as a person finds it: by roles and names, and by the IDs of rows.

  async login(user: string): Promise<void> {
    await this.page.getByLabel("Your name").fill(user);
    await this.page.getByRole("button", { name: "Log in" }).click();
  }

  async logout(): Promise<void> {
    await this.page.getByRole("button", { name: /^Account of/ }).click();
    await this.page.getByRole("button", { name: "Log out" }).click();
  }

  async showsLogin(): Promise<void> {
    await this.page.getByLabel("Your name").waitFor();
  }

  /** Opens one of the pages. */
  async open(tab: Tab): Promise<void> {
    await this.close();
    const link = this.page.getByRole("navigation", { name: "Pages" }).getByRole("link", { name: tab, exact: true });
    await link.click();
    await this.page.locator("main").getByRole("heading").first().waitFor();
    await this.page.locator('nav [aria-current="page"]').getByText(tab, { exact: true }).waitFor();
  }

  /** Opens a drawer, over the page. */
  async drawer(name: "Jobs" | "Notifications"): Promise<Locator> {
    const drawer = this.page.getByRole("dialog", { name });
    if (!(await drawer.isVisible())) {
      await this.close();
      await this.page.getByRole("button", { name: new RegExp(`^${name}`) }).click();
      await drawer.waitFor();
    }
    return drawer;
  }

  /** Closes the dialog or drawer that is open. */
  async close(): Promise<void> {
    const open = this.page.locator("dialog[open]");
    if (!(await open.count())) return;
    await this.page.keyboard.press("Escape");
    await open.waitFor({ state: "detached" });
  }

  /** Presses the button of a name: on the page, or in the dialog that is open. */
  async press(name: string | RegExp, within?: Locator): Promise<void> {
    const dialog = this.page.locator("dialog[open]");
    const place = within ?? ((await dialog.count()) ? dialog : this.page);
    const button = place.getByRole("button", { name, exact: true });
    await button.waitFor();
    for (const seen of await namesOf(this.page.locator("button:visible"))) this.buttons.add(seen);
    for (const one of await namesOf(button)) this.pressed.add(one);
    await button.click();
  }

  /** Waits until a dialog has closed by itself: what it was for is done. */
  async closes(): Promise<void> {
    await this.page.locator("dialog[open]").waitFor({ state: "detached" });
  }

  badge(text: string): Promise<void> {
    return this.page.getByTestId("connection-badge").getByText(text).waitFor();
  }

  saysGap(): Promise<void> {
    return this.page.getByTestId("gap-notice").waitFor();
  }

  /** The number beside the bell. */
  async unread(): Promise<number> {
    return Number(await this.page.getByTestId("unread-count").textContent());
  }

  /** The row of an order, submitted order, record or customer. */
  row(id: string): Locator {
    return this.page.locator(`main [data-id="${id}"]`);
  }

  /** Opens the form of an order. */
  async edit(id: string): Promise<Locator> {
    await this.row(id).getByRole("button", { name: "Edit" }).click();
    const form = this.page.getByRole("dialog", { name: "Edit order" });
    await form.waitFor();
    return form;
  }

  /** How far the bar in a row is, in percent; null without one, -1 if it does not say. */
  bar(id: string): Promise<number | null> {
    return barOf(this.row(id));
  }

  /** How far the banner of the syncs is, while any runs. */
  syncBar(): Promise<number | null> {
    return barOf(this.page.locator('[data-testid="sync-banner"][data-tone="running"]'));
  }

  async jobRow(id: string): Promise<Locator> {
    return (await this.drawer("Jobs")).locator(`[data-id="${id}"]`);
  }

  /** Compares the rows that the open page shows with those that the server has, and the bell. */
  async agrees(truth: Truth, { inOrder = true } = {}): Promise<void> {
    const expected = async () => {
      const { unread } = await truth.notifications();
      const tab = (await this.page.locator('nav [aria-current="page"]').textContent())?.trim() as Tab;
      return { unread, rows: await rowsOf(truth, tab) };
    };
    const shown = async () => ({ unread: await this.unread(), rows: await this.#rows() });
    await until(
      async () => contrast(await shown(), await expected(), inOrder),
      (differences) => !differences.length,
      "the screen to show what the server has",
    );
  }

  #rows(): Promise<string[]> {
    return this.page.locator("main tr[data-id]").evaluateAll((rows) =>
      rows.map((row) => {
        const note = row.querySelector(".note-text")?.textContent ?? "";
        return [row.getAttribute("data-id"), row.getAttribute("data-status"), note].filter(Boolean).join(" ");
      }),
    );
  }
}

/** Where what is shown differs from what should be. */
function contrast(a: Shown, b: Shown, inOrder: boolean): string[] {
  const [shown, expected] = inOrder ? [a, b] : [sorted(a), sorted(b)];
  const found = shown.unread === expected.unread ? [] : [`${shown.unread} unread, want ${expected.unread}`];
  const length = Math.max(shown.rows.length, expected.rows.length);
  for (let i = 0; i < length; i++)
    if (shown.rows[i] !== expected.rows[i]) found.push(`row ${i}: ${shown.rows[i]}, want ${expected.rows[i]}`);
  return found.slice(0, 10);
}

const sorted = (shown: Shown): Shown => ({ ...shown, rows: [...shown.rows].sort() });

interface Shown {
  unread: number;
  rows: string[];
}

export type Tab = "Pending" | "Submitted" | "History" | "Customers" | "Syncs" | "Monitor";

/** What the rows of a page say, in the same words as Device.agrees reads them. */
async function rowsOf(truth: Truth, tab: Tab): Promise<string[]> {
  const line = (...parts: string[]) => parts.filter(Boolean).join(" ");
  if (tab === "Pending") return (await truth.orders()).map(({ id, status, note }) => line(id, status, note));
  if (tab === "Submitted")
    return (await truth.submitted()).map(({ orderId, status, note }) => line(orderId, status, note));
  if (tab === "History")
    return (await truth.history()).rows.slice(0, 20).map(({ id, customerName }) => line(id, customerName));
  if (tab === "Customers") return (await truth.customers()).map(({ id }) => line(id));
  throw new Error(`no rows on ${tab}`);
}

/** The names of buttons, without the numbers in them and what follows a colon. */
const namesOf = (buttons: Locator): Promise<string[]> =>
  buttons.evaluateAll((all) =>
    all.map((button) =>
      (button.getAttribute("aria-label") ?? button.textContent ?? "").replace(/:.*/, "").replace(/\d+/g, "#").trim(),
    ),
  );

async function barOf(within: Locator): Promise<number | null> {
  const values = await within
    .getByRole("progressbar")
    .evaluateAll((bars) => bars.map((bar) => Number(bar.getAttribute("aria-valuenow") ?? -1)));
  return values[0] ?? null;
}
