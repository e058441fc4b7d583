import { expect, test } from "vitest";
import { Publisher } from "./kit/publisher.ts";
import { seeded } from "./kit/random.ts";
import { verdictAtRest } from "./kit/rest.ts";
import { until } from "./kit/until.ts";
import { range, World } from "./kit/world.ts";

test("five bursts of 100 events and ten cuts: none lost, none doubled", async () => {
  const world = await World.open();
  const { network, server, user } = world;
  const device = await world.device();
  await device.live();
  const publisher = new Publisher(server, user);
  const random = seeded(20261122);

  for (const burst of range(0, 5)) {
    // In the middle of the burst; then the next connection, at any byte from the
    // handshake to the replay.
    network.plan({ cutAfter: random.int(1, 3000) });
    await publisher.burst(random.int(10, 40));
    network.cut(burst % 2 ? "end" : "reset");
    while (publisher.published.length < 100 * (burst + 1)) {
      await publisher.burst(Math.min(10, 100 * (burst + 1) - publisher.published.length));
    }
    await until(
      () => network.broken,
      (broken) => broken === 2 * (burst + 1),
      "both cuts",
    );
    await device.hears(100 * (burst + 1));
    await device.live();
  }

  expect(await device.numbers()).toEqual(range(0, 500));
  expect(await verdictAtRest(world, device, publisher)).toEqual([]);
  expect(await device.gaps()).toEqual([]);
  const verdicts = (await server.journal("connect")).map(({ verdict }) => verdict);
  expect(verdicts).toEqual(["fresh", ...verdicts.slice(1).map(() => "resumed")]);
  expect(verdicts.length).toBeGreaterThanOrEqual(6);

  // I9: OnConnect and OnDisconnect once each, in this order.
  await device.call("close");
  await server.connected(user, 0);
  const journal = await server.journal();
  for (const { conn } of journal.filter(({ what }) => what === "connect"))
    expect(journal.filter((line) => line.conn === conn).map(({ what }) => what)).toEqual(["connect", "disconnect"]);
});
