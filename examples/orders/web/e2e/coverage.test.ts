import { expect, inject, test } from "vitest";
import { until } from "../../../../js/e2e/kit/until.ts";
import { acts } from "./kit/acts.ts";
import { Observer, table } from "./kit/coverage.ts";
import { difference, screen, still } from "./kit/screen.ts";
import { World } from "./kit/world.ts";

// One device does everything that the page can, the other one of the same user shows it.

test("every event of the catalogue reaches the other device, and changes its screen", async () => {
  // The newest progress takes the place of the one before, and the end that of all: of a job
  // that takes no time a device may rightly hear of nothing but the end.
  // No token ends meanwhile, however slow the machine.
  const world = await World.open("-erp-latency", "40ms", "-token-ttl", "1h");
  const truth = await world.truth();
  const hand = await world.device();
  const watcher = await world.device("anna", { steps: true });
  const stranger = await world.device("bruno");
  await stranger.open("Pending");
  await stranger.drawer("Jobs");
  const [strangersScreen, strangersFrames] = [await still(stranger.page), stranger.events.length];

  const observer = new Observer(watcher);
  for (const act of acts) {
    await Promise.all([hand.open(act.tab), watcher.open(act.tab)]);
    await (act.beside ? watcher.drawer(act.beside) : watcher.close());
    let done = false;
    let failure: unknown;
    const doing = act
      .act(hand, truth)
      .then(() => truth.idle(40_000))
      .catch((error) => {
        failure = error;
      })
      .finally(() => {
        done = true;
      });
    await observer.watch(async () => (done ? (failure ? "" : (await truth.cursor()).lastEventTs) : null));
    await doing;
    if (failure) throw new Error(`${act.name}: ${failure}`, { cause: failure });
  }
  watcher.steps.release();

  // Whatever could be pressed was.
  const elsewhere = ["Jobs", "Notifications", "Dismiss", "Log out"]; // drawers are opened all the time; see token.test.ts
  expect([...hand.buttons].filter((name) => !hand.pressed.has(name) && !elsewhere.includes(name))).toEqual([]);

  const catalogue = await world.server.catalogue();
  console.log(table(inject("database"), catalogue, observer.seen));
  const names = catalogue.map(({ name }) => name);
  expect(names.length).toBeGreaterThan(30);
  // Defined and never sent, sent and never heard, heard and never shown: each is a fault.
  expect(catalogue.filter(({ sent }) => !sent).map(({ name }) => name)).toEqual([]);
  expect(names.filter((name) => !observer.seen.get(name)?.count)).toEqual([]);
  expect(names.filter((name) => !observer.seen.get(name)?.change.length)).toEqual([]);
  expect([...observer.seen.keys()].filter((name) => !names.includes(name) && !name.startsWith("hub."))).toEqual([]);

  // The other user has heard nothing and seen nothing, and still hears what is his.
  expect(stranger.events.slice(strangersFrames)).toEqual([]);
  expect(difference(strangersScreen, await screen(stranger.page))).toEqual([]);
  const bruno = await world.truth("bruno");
  const order = await bruno.order("his own");
  await stranger.hears("PENDING_CREATED");
  await stranger.row(order.id).waitFor();

  // And both of anna's devices show in the end what the server has.
  for (const device of [hand, watcher])
    for (const tab of ["Pending", "Submitted", "History"] as const) {
      await device.open(tab);
      await device.agrees(truth);
    }
  await until(
    () => watcher.syncBar(),
    (bar) => bar === null,
    "no sync to be shown as running",
  );
}, 600_000);
