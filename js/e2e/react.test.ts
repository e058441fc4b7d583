import { expect, test } from "vitest";
import type { Device } from "./kit/device.ts";
import { until } from "./kit/until.ts";
import { numbered, range, World } from "./kit/world.ts";

// A real React page: pages/react.js, in StrictMode, with React's development build.

async function reactPage(world: World): Promise<Device> {
  await world.login();
  const device = await world.page({ path: "/react.html" });
  await device.start({ url: world.url });
  return device;
}

/** Waits until an element of the page says something. */
const shows = (device: Device, id: string, text: string) =>
  until(
    () => device.page.evaluate((name) => document.getElementById(name)?.textContent, id),
    (seen) => seen === text,
    `#${id} to say ${text}`,
  );

test("StrictMode opens one socket, and no hook opens another; a burst loses nothing", async () => {
  const world = await World.open();
  const { server, network, user } = world;
  const device = await reactPage(world);
  await shows(device, "state", "connected");
  expect(await device.page.evaluate(() => window.e2e.mounts)).toBe(4); // two components, twice each

  await server.publish(user, numbered(100));
  await shows(device, "orders", range(0, 100).join(" "));
  await shows(device, "again", range(0, 100).join(" "));
  await shows(device, "latest", "newest 99");
  expect(await device.sockets()).toBe(1);
  expect(network.accepted).toBe(1);
  expect(await server.journal("attempt")).toHaveLength(1);
  expect(await device.errors()).toEqual([]);
});

test("a progress bar is right again after a reconnect, and ends", async () => {
  const world = await World.open();
  const { server, network, user } = world;
  const device = await reactPage(world);
  const progress = (n: number) => ({ type: "JOB_PROGRESS", key: "job:1", payload: { jobId: "1", progress: n } });
  await shows(device, "state", "connected");
  await server.publish(user, [progress(40)]);
  await shows(device, "job", "progress 40");

  network.refusing = true;
  network.cut();
  await shows(device, "job", "progress 40, stale");
  await server.publish(user, [progress(60), progress(80)]);
  network.refusing = false;
  await shows(device, "job", "progress 80");

  network.refusing = true;
  network.cut();
  await shows(device, "state", "reconnecting, stale");
  await server.publish(user, [
    progress(90),
    { type: "JOB_COMPLETED", key: "job:1", payload: { jobId: "1", result: "ok" } },
  ]);
  network.refusing = false;
  await shows(device, "state", "connected");
  await until(
    () => device.page.evaluate(() => document.getElementById("job")?.textContent ?? ""),
    (text) => /^completed \d+$/.test(text),
    "the end of the job",
  );
});

test("leaving disconnects, returning connects again: one socket at a time", async () => {
  const world = await World.open();
  const { server, user } = world;
  const device = await reactPage(world);
  await shows(device, "state", "connected");
  await device.page.getByText("Leave").click();
  await server.connected(user, 0);
  await device.page.getByText("Return").click();
  await shows(device, "state", "connected");
  await server.connected(user, 1);
  expect(await device.sockets()).toBe(2);
  await server.publish(user, numbered(3));
  await shows(device, "orders", "0 1 2");
});
