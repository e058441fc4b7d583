import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/**/*.test.{ts,tsx}", "src/**/*.test.{ts,tsx}"],
    // Tests that need a page say so: // @vitest-environment jsdom
    environment: "node",
    restoreMocks: true,
  },
});
