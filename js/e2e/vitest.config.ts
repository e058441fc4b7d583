import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";

// A project of its own: it needs Go and a Chromium, and `npm test` must not.
export default defineConfig({
  root: fileURLToPath(new URL(".", import.meta.url)),
  test: {
    include: ["**/*.test.ts"],
    globalSetup: "kit/setup.ts",
    pool: "forks",
    // Most of a case is waiting; a browser each is what two busy cores can carry.
    maxWorkers: 3,
    // A deadline and no measurement: a machine may have much else to do.
    testTimeout: 180_000,
    hookTimeout: 60_000,
    // A flaky test is a bug.
    retry: 0,
  },
});
