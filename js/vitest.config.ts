import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/**/*.test.{ts,tsx}", "src/**/*.test.{ts,tsx}"],
    // Tests that need a page say so: // @vitest-environment jsdom
    environment: "node",
    // Time is faked where it matters; this is for machines that are busy.
    testTimeout: 120_000,
    restoreMocks: true,
  },
});
