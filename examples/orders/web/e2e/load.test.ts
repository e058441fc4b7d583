import { setTimeout as sleep } from "node:timers/promises";
import { expect, inject, onTestFinished, test } from "vitest";
import { seeded } from "../../../../js/e2e/kit/random.ts";
import { until } from "../../../../js/e2e/kit/until.ts";
import type { Device } from "./kit/device.ts";
import { LightUser } from "./kit/light.ts";
import { marker, pageHeap, paintedMarkers, percentile, watchMarkers } from "./kit/paint.ts";
import { World } from "./kit/world.ts";

// Users with three devices each, who click. How long does it take from the commit of what
// one device does to the moment when the user's other two show it? A short run proves that
// nothing is lost; `scripts/orders-e2e.sh load` measures. A browser's page costs so much
// more than the server's part that a small machine measures itself if all are pages: so
// ORDERS_E2E_PAGES says how many users have some, and the others' devices are clients.

const full = process.env.ORDERS_E2E_LOAD === "full";
const { users, seconds } = full ? { users: 20, seconds: 120 } : { users: 3, seconds: 15 };
const withPages = Math.min(users, Number(process.env.ORDERS_E2E_PAGES ?? 1));

/** A user's three devices: one clicks, two show. */
interface Trio {
  hand: Device;
  others: Device[];
  /** The markers that the hand has put into notes. */
  marks: string[];
}

interface Sample {
  at: number;
  heap: number;
  rss: number;
}

test(
  "what one device does is on the user's others",
  async () => {
    const world = await World.openWith({ GODEBUG: "gctrace=1" });
    const trios: Trio[] = [];
    for (let u = 0; u < withPages; u++) trios.push(await trio(world, `load-${u}`));
    const lights: LightUser[] = [];
    for (let u = withPages; u < users; u++) lights.push(await LightUser.open(world.server, u));
    onTestFinished(() => lights.forEach((light) => void light.close()));
    await Promise.all(trios.flatMap(({ others }) => others.map(({ page }) => watchMarkers(page))));

    const heaps = () => Promise.all(trios.flatMap(({ others }) => others.map(({ page }) => pageHeap(page))));
    const before = await heaps();
    const begun = Date.now();
    const after = () => (Date.now() - begun) / 1000;
    const goesOn = () => after() < seconds;
    const [memory] = await Promise.all([
      watchMemory(world, after, goesOn),
      ...trios.map((one, u) => click(one, u, goesOn)),
      ...lights.map((light) => light.click(goesOn)),
    ]);

    const screens: number[] = [];
    for (const { others, marks } of trios) for (const device of others) screens.push(...(await delays(device, marks)));
    await Promise.all(lights.map((light) => light.heardAll()));
    const clients = lights.flatMap((light) => light.delays);
    console.log(report(screens, clients, before, await heaps(), memory));
    expect(screens.length).toBe(trios.reduce((sum, { marks }) => sum + 2 * marks.length, 0));
    expect(Math.min(screens.length, clients.length)).toBeGreaterThan(3);
    if (full) {
      expect(percentile(screens, 0.95)).toBeLessThan(100);
      // Flat: what is alive at the end is what was alive when everyone had done a little.
      const [early, late] = [memory.filter(({ at }) => at > 20 && at < 50), memory.filter(({ at }) => at > 90)];
      expect(mean(late.map(({ heap }) => heap))).toBeLessThan(mean(early.map(({ heap }) => heap)) + 3);
    }
  },
  full ? 600_000 : 120_000,
);

async function watchMemory(world: World, after: () => number, goesOn: () => boolean): Promise<Sample[]> {
  const samples: Sample[] = [];
  while (goesOn()) {
    samples.push({ at: after(), heap: world.server.heap(), rss: await world.server.memory() });
    await sleep(5_000);
  }
  return samples;
}

const mean = (values: number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;

function report(screens: number[], clients: number[], before: number[], after: number[], memory: Sample[]): string {
  const line = (what: string, ms: number[]) =>
    `${what}, ms: n ${ms.length}  ${[0.5, 0.95, 0.99, 1].map((p) => `p${100 * p} ${percentile(ms, p)}`).join("  ")}`;
  const mib = (kib: number) => (kib / 1024).toFixed(1);
  return [
    `${users} users × 3 devices, ${seconds} s, ${inject("database")}; ${withPages} of them with pages`,
    line("commit to screen", screens),
    line("commit to client", clients),
    `a page's heap after a collection, MiB: ${mib(mean(before))} -> ${mib(mean(after))}`,
    "server: seconds, live heap MiB, resident MiB",
    ...memory.map(
      ({ at, heap, rss }) => `${at.toFixed(0).padStart(6)}  ${String(heap).padStart(4)}  ${mib(rss).padStart(6)}`,
    ),
  ].join("\n");
}

async function trio(world: World, user: string): Promise<Trio> {
  const [hand, ...others] = await Promise.all([1, 2, 3].map(() => world.device(user)));
  return { hand: hand as Device, others, marks: [] };
}

/** Does this and that by the page until the time is over, as fast as somebody who knows it. */
async function click(trio: Trio, user: number, goesOn: () => boolean) {
  const random = seeded(user + 1);
  const { hand, marks } = trio;
  while (goesOn()) {
    const dice = random.int(0, 9);
    if (dice < 6) await edit(hand, mark(trio, user));
    else if (dice < 8) await create(hand, mark(trio, user));
    else if (dice < 9) await submit(hand);
    else await sync(hand);
    // Somebody looks, and thinks.
    await sleep(random.int(1_000, 3_000));
  }
  expect(marks.length).toBeGreaterThan(0);
}

function mark({ marks }: Trio, user: number): string {
  const text = marker(user, marks.length);
  marks.push(text);
  return text;
}

async function edit({ page }: Device, note: string) {
  await page.locator('main tr[data-status="pending"]').nth(2).getByRole("button", { name: "Edit" }).click();
  await page.getByRole("textbox", { name: /^Note/ }).fill(note);
  await page.getByRole("button", { name: "Save", exact: true }).click();
  await page.locator("dialog[open]").waitFor({ state: "detached" });
}

async function create({ page }: Device, note: string) {
  await page.getByRole("button", { name: "New order" }).first().click();
  await page.getByRole("combobox", { name: /^Customer/ }).selectOption({ index: 1 });
  await page.getByRole("combobox", { name: /^Product/ }).fill("Load");
  await page.getByRole("textbox", { name: /^Note/ }).fill(note);
  await page.getByRole("button", { name: "Create order" }).click();
  await page.locator("dialog[open]").waitFor({ state: "detached" });
}

async function submit({ page }: Device) {
  await page.locator('main tr[data-status="pending"]').first().getByRole("button", { name: "Submit" }).click();
}

async function sync(device: Device) {
  await device.open("Syncs");
  const button = device.page.getByRole("button", { name: "Sync products" });
  if (await button.isVisible()) await button.click();
  await device.open("Pending");
}

/** From the hub's timestamp, which follows the commit at once, to the paint, in milliseconds. */
async function delays(device: Device, marks: string[]): Promise<number[]> {
  const painted = await until(
    () => paintedMarkers(device.page),
    (seen) => marks.every((one) => one in seen),
    `all of ${marks.length} changes to be shown`,
  );
  return marks.map((one) => {
    const event = device.events.find(({ payload }) => JSON.stringify(payload).includes(one));
    if (!event) throw new Error(`${one} was painted without an event`);
    return (painted[one] ?? Number.NaN) - Date.parse(event.timestamp);
  });
}
