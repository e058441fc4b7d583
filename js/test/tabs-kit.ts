// What the tests of tabs share: a browser, tabs that lead and follow, and what they heard.

import type { Client, Gap, Options, WebSocketConstructor } from "../src/index.ts";
import { Browser, type Tab } from "./browser.ts";
import { FakeSocket, pass } from "./kit.ts";

/** Messages and locks take a moment. */
export const settle = () => pass(5);

/** A browser, every socket of it, and what the tabs heard. */
export function setup(delay?: () => number) {
  const sockets: FakeSocket[] = [];
  class Socket extends FakeSocket {
    constructor(url: string, protocols?: string | string[]) {
      super(url, protocols);
      sockets.push(this);
    }
  }
  const browser = new Browser(delay);
  const heard = new Map<Tab, unknown[]>();
  const gaps = new Map<Tab, Gap[]>();
  const open = async (options: Partial<Options> = {}, user?: string, before?: (tab: Tab) => void) => {
    const tab = browser.open({ ...options, WebSocket: Socket as unknown as WebSocketConstructor }, user);
    heard.set(tab, []);
    gaps.set(tab, []);
    tab.client.on("*", (payload) => heard.get(tab)?.push(payload));
    tab.client.onGap((gap) => gaps.get(tab)?.push(gap));
    before?.(tab);
    tab.connect();
    await settle();
    return tab;
  };
  return {
    browser,
    sockets,
    open,
    heard: (tab: Tab) => heard.get(tab),
    gaps: (tab: Tab) => gaps.get(tab),
    get openSockets() {
      return sockets.filter((s) => s.readyState === 1);
    },
    get socket() {
      return sockets.at(-1) as FakeSocket;
    },
  };
}

/** Two tabs on one socket that is live at 10, in both scopes. */
export async function two(options: Partial<Options> = {}) {
  const w = setup();
  const a = await w.open(options);
  w.socket.up(10, { global: 10 });
  const b = await w.open(options);
  await settle();
  return { w, a, b };
}

/** Three tabs like that, and delays for the messages to come. Without one a message takes none. */
export async function three() {
  const delays: number[] = [];
  const w = setup(() => delays.shift() ?? 0);
  const a = await w.open();
  w.socket.up(10, { global: 10 });
  const b = await w.open();
  const c = await w.open();
  await settle();
  return { w, delays, a, b, c };
}

export const state = ({ state: { phase, stale } }: Client) => `${phase}${stale ? "" : " live"}`;
