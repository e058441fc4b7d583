import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";

const root = fileURLToPath(new URL(".", import.meta.url));
const databases = process.env.ORDERS_E2E_DATABASES?.split(",") ?? ["sqlite", "postgres"];

// A project for each database: all tests run on both.
export default defineConfig({
  root,
  test: {
    // Most of a case is waiting.
    maxWorkers: process.env.ORDERS_E2E_LOAD ? 1 : 4,
    projects: databases.map((database) => ({
      root,
      test: {
        name: database,
        include: ["*.test.ts"],
        globalSetup: "kit/setup.ts",
        provide: { database: database as "sqlite" | "postgres" },
        pool: "forks" as const,
        // A deadline and no measurement: a machine may have much else to do.
        testTimeout: 300_000,
        hookTimeout: 60_000,
        // A flaky test is a bug.
        retry: 0,
      },
    })),
  },
});
