import type { Page } from "playwright-core";
import { until } from "../../../../../js/e2e/kit/until.ts";

/** Messages vanish by themselves: an event must change more than that. */
const ignored = ".toasts";

/** What only a clock changes. */
const clocks = /\b(just now|\d+ (min|hr|sec|day)s?\.? ago|about \d+ (s|min) left)\b/g;

/**
 * What is to be seen on a page, line by line: what stands in each row, paragraph, button and
 * so on, with the values of fields and bars. Messages are left out, and what the clock says.
 */
export async function screen(page: Page): Promise<string[]> {
  const lines = await look(page);
  return lines.map((line) => line.replace(clocks, ""));
}

function look(page: Page): Promise<string[]> {
  return page.evaluate((ignored) => {
    const units = "tr,li,dt,dd,p,h1,h2,h3,h4,button,a,label,progress,output,[role=row],[role=status],[role=alert]";
    const bars = "progress,[aria-valuenow]";
    const lines: string[] = [];
    const text = (node: Node) => (node.textContent ?? "").replace(/\s+/g, " ").trim();
    const state = (el: Element): string[] => {
      const said: string[] = [];
      const bar = el.getAttribute("aria-valuenow") ?? (el instanceof HTMLProgressElement ? String(el.value) : null);
      if (bar !== null) said.push(`[bar ${bar}]`);
      if (el instanceof HTMLInputElement || el instanceof HTMLTextAreaElement || el instanceof HTMLSelectElement)
        said.push(`[${el.value}]`);
      if (el instanceof HTMLButtonElement && el.disabled) said.push(`[${text(el)}: disabled]`);
      return said;
    };
    const describe = (el: Element) => {
      const inner = [...el.querySelectorAll(`${bars},input,textarea,select,button`)].filter((one) =>
        one.checkVisibility(),
      );
      // biome-ignore lint/performance/useDomNodeTextContent: what is hidden is not on the screen
      const said = el instanceof HTMLElement ? el.innerText.replace(/\s+/g, " ").trim() : text(el);
      return [said, ...state(el), ...inner.flatMap(state)].filter(Boolean).join(" ");
    };
    const walk = (el: Element) => {
      if (el.matches(ignored) || !el.checkVisibility()) return;
      if (el.matches(`${units},${bars}`) && !el.querySelector(`${ignored},tr,li`)) {
        const line = describe(el);
        if (line) lines.push(line);
        return;
      }
      for (const node of el.childNodes) {
        if (node instanceof Element) walk(node);
        else if (node.nodeType === Node.TEXT_NODE && text(node)) lines.push(text(node));
      }
    };
    walk(document.body);
    return lines;
  }, ignored);
}

/** What has come and gone between two screens. */
export function difference(before: string[], after: string[]): string[] {
  const minus = (a: string[], b: string[]) => {
    const left = [...b];
    return a.filter((line) => {
      const at = left.indexOf(line);
      if (at >= 0) left.splice(at, 1);
      return at < 0;
    });
  };
  return [...minus(after, before).map((line) => `+ ${line}`), ...minus(before, after).map((line) => `- ${line}`)];
}

/** Has a page count its requests, for `still`. To be called before it is loaded. */
export async function countRequests(page: Page): Promise<void> {
  await page.addInitScript(() => {
    const requests = { begun: 0, open: 0 };
    const { fetch } = window;
    Object.assign(window, { requests });
    window.fetch = (...args) => {
      requests.begun++;
      requests.open++;
      return fetch(...args).finally(() => requests.open--);
    };
  });
}

/**
 * Waits until the page has done what it was about to do: it has begun no request for longer
 * than it waits before it fetches a list again, and all are answered. The page's own
 * timers say so, because these are as late as those that they are to outwait.
 */
const idle = (page: Page): Promise<void> =>
  page.evaluate(async () => {
    const { requests } = window as unknown as { requests: { begun: number; open: number } };
    const pause = (ms: number) => new Promise((done) => setTimeout(done, ms));
    for (let begun = -1; begun !== requests.begun; ) {
      begun = requests.begun;
      await pause(300);
      while (requests.open) await pause(20);
    }
  });

/** Waits until the screen has stood still for a moment: nothing on its way changes it any more. */
export async function still(page: Page, limitMs = 15_000): Promise<string[]> {
  await idle(page);
  let last: string[] = await screen(page);
  let since = Date.now();
  let moved: string[] = [];
  return until(
    async () => {
      const now = await screen(page);
      const changed = difference(last, now);
      if (changed.length) {
        moved = changed;
        since = Date.now();
      }
      last = now;
      return now;
    },
    () => Date.now() - since >= 350,
    "the screen to stand still",
    limitMs,
  ).catch((error) => {
    throw new Error(`the screen still changes: ${moved.join(" | ")}`, { cause: error });
  });
}

/** Waits until the page has drawn what it has been told. */
export const painted = (page: Page): Promise<void> =>
  page.evaluate(() => new Promise<void>((done) => requestAnimationFrame(() => requestAnimationFrame(() => done()))));
