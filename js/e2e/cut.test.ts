import { expect, test } from "vitest";
import { numbered, range, World } from "./kit/world.ts";

// What a page misses while its TCP connection is gone comes with the next one.

for (const how of ["reset", "end"] as const) {
  test(`what happens while the connection is cut (${how}) is replayed, once`, async () => {
    const world = await World.open();
    const device = await world.device();
    await device.live();
    await world.server.publish(world.user, numbered(3));
    await device.hears(3);

    world.network.refusing = true;
    world.network.cut(how);
    const lost = await device.until((s) => s.phase === "reconnecting" && s.attempt >= 2, "failed attempts");
    expect(lost).toMatchObject({ code: 1006, reason: "lost", stale: true });
    await world.server.publish(world.user, numbered(5, 3));
    world.network.refusing = false;

    const heard = await device.hears(8);
    await device.live();
    expect(await device.numbers()).toEqual(range(0, 8));
    expect(heard.map(({ meta }) => meta.replayed)).toEqual([...Array(3).fill(false), ...Array(5).fill(true)]);
    expect(await device.gaps()).toEqual([]);
    expect((await world.server.journal("connect")).map((c) => c.verdict)).toEqual(["fresh", "resumed"]);
    expect(await device.cursor()).toEqual(await world.server.cursor(world.user));
  });
}
