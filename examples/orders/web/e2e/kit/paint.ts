import type { Page } from "playwright-core";

/** What stands in a text so that a page's watch finds it: unique for each change. */
export const marker = (user: number, change: number) => `mark-${user}-${change}.`;

/**
 * Has a page note when it has painted each marker for the first time, in milliseconds of
 * this machine's clock. It is the one thing that a test puts into a page, and only the
 * measurement does.
 */
export async function watchMarkers(page: Page): Promise<void> {
  await page.evaluate(() => {
    const seen: Record<string, number> = {};
    Object.assign(window, { seenMarkers: seen });
    const found = new Set<string>();
    const look = (node: Node) => {
      for (const [mark] of (node.textContent ?? "").matchAll(/mark-\d+-\d+\./g)) if (!(mark in seen)) found.add(mark);
    };
    new MutationObserver((records) => {
      for (const record of records) {
        if (record.type === "characterData") look(record.target);
        for (const node of record.addedNodes) look(node);
      }
      if (!found.size) return;
      const marks = [...found];
      found.clear();
      requestAnimationFrame(() => {
        // A message runs after the frame that this callback belongs to has been painted.
        const { port1, port2 } = new MessageChannel();
        port1.onmessage = () => {
          const now = Date.now();
          for (const mark of marks) seen[mark] ??= now;
          port1.close();
        };
        port2.postMessage(null);
      });
    }).observe(document.body, { subtree: true, childList: true, characterData: true });
  });
}

/** When each marker was painted. */
export const paintedMarkers = (page: Page): Promise<Record<string, number>> =>
  page.evaluate(() => (window as unknown as { seenMarkers: Record<string, number> }).seenMarkers);

/** What is left on a page's heap after a collection, in KiB. */
export async function pageHeap(page: Page): Promise<number> {
  const session = await page.context().newCDPSession(page);
  // Twice: finalisers of the first let go of more.
  await session.send("HeapProfiler.collectGarbage");
  await session.send("HeapProfiler.collectGarbage");
  const { usedSize } = await session.send("Runtime.getHeapUsage");
  await session.detach();
  return Math.round(usedSize / 1024);
}

/** The value that a share of the values does not exceed. */
export function percentile(values: number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.ceil(sorted.length * share) - 1)] ?? Number.NaN;
}
