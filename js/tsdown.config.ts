import { defineConfig } from "tsdown";

// Five entries, each importable alone. All but the first take only types from
// the core, so nothing is shared between the files and each weighs what it shows.
export default defineConfig({
  entry: {
    index: "src/index.ts",
    tabs: "src/tabs/index.ts",
    react: "src/react/index.ts",
    monitor: "src/react/monitor.ts",
    query: "src/query/index.ts",
  },
  format: ["esm", "cjs"],
  platform: "neutral",
  target: "es2022",
  dts: true,
  sourcemap: false,
  fixedExtension: false,
});
