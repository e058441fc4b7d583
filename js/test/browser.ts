// Several tabs of one browser in one process: Web Locks and BroadcastChannel whose
// every delay the test chooses, and tabs that can crash.

import { vi } from "vitest";
import { type Client, createClient, type Options, type WebSocketConstructor } from "../src/index.ts";
import { shareTabs } from "../src/tabs/index.ts";
import type { FakeSocket } from "./kit.ts";

type Listener = ((event: { data: unknown }) => void) | null;

export class Browser {
  private readonly channels = new Set<FakeChannel>();
  private readonly queue: { tab: Tab; name: string; run: () => Promise<void> }[] = [];
  private holder: { tab: Tab; name: string } | undefined;
  readonly tabs: Tab[] = [];
  /** When the next message from one channel to another may arrive: order is kept between two. */
  private readonly order = new Map<string, number>();
  private made = 0;

  /** delay: how many ms a message takes. */
  constructor(private readonly delay: () => number = () => 0) {}

  open(options: Partial<Options> & { WebSocket: WebSocketConstructor }, user = "u1"): Tab {
    const tab = new Tab(this, options, user);
    this.tabs.push(tab);
    return tab;
  }

  get living() {
    return this.tabs.filter((tab) => !tab.dead);
  }

  /** How many requests wait for a lock. */
  get waiting() {
    return this.queue.length;
  }

  get leader() {
    return this.holder?.tab;
  }

  channelFor(tab: Tab) {
    const browser = this;
    return class extends FakeChannel {
      constructor(name: string) {
        super(browser, tab, name, ++browser.made);
        browser.channels.add(this);
      }
    };
  }

  post(from: FakeChannel, data: unknown) {
    for (const to of this.channels) {
      if (to === from || to.name !== from.name) continue;
      const copy = structuredClone(data);
      const pair = `${from.id} ${to.id}`;
      const at = Math.max(Date.now() + this.delay(), this.order.get(pair) ?? 0);
      this.order.set(pair, at);
      setTimeout(() => this.channels.has(to) && to.onmessage?.({ data: copy }), at - Date.now());
    }
  }

  forget(channel: FakeChannel) {
    this.channels.delete(channel);
  }

  locksFor(tab: Tab) {
    return {
      request: (name: string, { signal }: { signal: AbortSignal }, callback: () => Promise<void>) =>
        new Promise<void>((resolve, reject) => {
          const run = () => callback().then(resolve, reject);
          const entry = { tab, name, run };
          this.queue.push(entry);
          signal.addEventListener("abort", () => {
            const i = this.queue.indexOf(entry);
            if (i < 0) return; // granted: too late
            this.queue.splice(i, 1);
            reject(signal.reason);
          });
          this.grant();
        }),
    };
  }

  private grant() {
    setTimeout(() => {
      const i = this.queue.findIndex((e) => e.name !== this.holder?.name);
      const [next] = i < 0 ? [] : this.queue.splice(i, 1);
      if (!next) return;
      this.holder = next;
      next.run().finally(() => {
        if (this.holder !== next) return;
        this.holder = undefined;
        this.grant();
      });
    });
  }

  /** Takes from a tab what the browser takes when a tab is killed. */
  bury(tab: Tab) {
    for (const channel of [...this.channels]) if (channel.tab === tab) this.channels.delete(channel);
    this.queue.splice(0, this.queue.length, ...this.queue.filter((e) => e.tab !== tab));
    if (this.holder?.tab === tab) {
      this.holder = undefined;
      this.grant();
    }
  }
}

class FakeChannel {
  onmessage: Listener = null;
  constructor(
    private readonly browser: Browser,
    readonly tab: Tab,
    readonly name: string,
    readonly id: number,
  ) {}
  postMessage(data: unknown) {
    if (!this.tab.dead) this.browser.post(this, data);
  }
  close() {
    this.browser.forget(this);
  }
}

export class Tab {
  readonly client: Client;
  dead = false;

  constructor(
    private readonly browser: Browser,
    options: Partial<Options> & { WebSocket: WebSocketConstructor },
    user: string,
  ) {
    const Base = options.WebSocket as unknown as new (url: string, protocols?: string | string[]) => FakeSocket;
    const sockets = this.sockets;
    class Socket extends Base {
      constructor(url: string, protocols?: string | string[]) {
        super(url, protocols);
        sockets.push(this);
      }
    }
    this.client = createClient({
      url: "ws://hub.example/",
      share: shareTabs({ user }),
      ...options,
      WebSocket: Socket as unknown as WebSocketConstructor,
    });
  }

  readonly sockets: FakeSocket[] = [];

  /** The socket that is open here, if there is one. */
  get socket() {
    return this.sockets.find((s) => s.readyState === 1);
  }

  connect() {
    vi.stubGlobal("navigator", { locks: this.browser.locksFor(this) });
    vi.stubGlobal("BroadcastChannel", this.browser.channelFor(this));
    this.client.connect();
    vi.unstubAllGlobals();
  }

  /** The process is gone. What it had sent arrives; it does nothing any more. */
  crash() {
    this.dead = true;
    this.browser.bury(this);
    this.client.destroy();
  }

  /** The page is closed. */
  close() {
    this.client.destroy();
    this.dead = true;
  }
}
