import { expect, onTestFinished, test } from "vitest";
import { until } from "../../../../js/e2e/kit/until.ts";
import { difference, screen, still } from "./kit/screen.ts";
import { World } from "./kit/world.ts";

// The tests see what they say they see.

test("what a page complains of is noticed: errors, rejections, violations of the policy", async () => {
  const world = await World.open();
  const device = await world.device();
  expect(device.troubles()).toEqual([]);
  await device.page.evaluate(() => {
    console.error("an error");
    console.warn("a warning");
    Promise.reject(new Error("a rejection"));
    setTimeout(() => {
      throw new Error("an exception");
    });
    const script = document.createElement("script");
    script.textContent = "window.broken = true";
    document.body.append(script);
  });
  await until(
    () => device.troubles().length,
    (count) => count >= 5,
    "five troubles",
  );
  for (const word of ["an error", "a warning", "a rejection", "an exception", "Content Security Policy"])
    expect(
      device.troubles().filter((trouble) => trouble.includes(word)),
      word,
    ).toHaveLength(1);
  expect(await device.page.evaluate(() => "broken" in window)).toBe(false);
  device.allow(/./);
});

test("an event that waits in the network changes nothing, and passes alone", async () => {
  const world = await World.open();
  const truth = await world.truth();
  const device = await world.device("anna", { steps: true });
  onTestFinished(() => device.steps.release());
  await device.open("Pending");
  device.steps.holding = true;
  const before = await still(device.page);
  const heard = device.events.length;
  for (const note of ["the first", "the second"]) await truth.order(note);
  await until(
    () => device.steps.held.length,
    (count) => count === 2,
    "two events to wait",
  );
  expect(difference(before, await still(device.page))).toEqual([]);
  expect(device.steps.step()?.type).toBe("PENDING_CREATED");
  await device.page.getByText("the first").waitFor();
  const between = await screen(device.page);
  expect(difference(before, between).filter((line) => line.includes("the second"))).toEqual([]);
  expect(device.events.length).toBe(heard + 1);
  device.steps.release();
  await device.page.getByText("the second").waitFor();
  await device.agrees(truth);
});
