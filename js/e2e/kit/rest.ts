import type { Device } from "./device.ts";
import { judge } from "./oracle.ts";
import type { Publisher } from "./publisher.ts";
import { until } from "./until.ts";
import type { World } from "./world.ts";

/** Waits until a device has all there is, and returns what the oracle finds wrong with its way there. */
export async function verdictAtRest(
  world: World,
  device: Device,
  publisher: Publisher,
  bufferSize = 200,
): Promise<string[]> {
  const hub = await world.server.cursor(world.user);
  await device.live();
  // It may have stopped short, or gone too far: then the oracle says so, and better.
  await until(
    () => device.cursor(),
    (cursor) => cursor?.epoch === hub.epoch && cursor.lastEventTs >= hub.lastEventTs,
    `the cursor to reach ${hub.epoch} ${hub.lastEventTs}`,
  ).catch(() => {});
  const name = await device.page.evaluate(() => window.e2e.client?.deviceId ?? "");
  const [client, record] = [await device.cursor(), await device.record()];
  return judge(publisher.published, record, { user: world.user, device: name, hub, client, bufferSize });
}
