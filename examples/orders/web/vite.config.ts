import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";

const client = (path: string) => fileURLToPath(new URL(`../../../js/src/${path}`, import.meta.url));

/** The server that answers /api and /ws while the page comes from `npm run dev`. */
const server = process.env.ORDERS_URL ?? "http://127.0.0.1:8090";

export default defineConfig({
  base: "./",
  resolve: {
    // The sources of the client, so that the page needs no build of it.
    alias: [
      { find: /^@usercast\/client$/, replacement: client("index.ts") },
      { find: /^@usercast\/client\/react$/, replacement: client("react/index.ts") },
      { find: /^@usercast\/client\/query$/, replacement: client("query/index.ts") },
      { find: /^@usercast\/client\/monitor$/, replacement: client("react/monitor.ts") },
    ],
    dedupe: ["react", "react-dom", "@tanstack/react-query"],
  },
  build: {
    target: "es2022",
    // ORDERS_DIST: where scripts/dist-check.js has it built for comparison.
    outDir: process.env.ORDERS_DIST ?? "dist",
    emptyOutDir: true,
    modulePreload: false,
    cssCodeSplit: false,
    assetsInlineLimit: 0,
    chunkSizeWarningLimit: 1_000,
    rolldownOptions: {
      // "use client" in TanStack's files is for servers that render.
      onwarn(warning, warn) {
        if (warning.code !== "MODULE_LEVEL_DIRECTIVE") warn(warning);
      },
      output: {
        // Fixed names: dist is committed, and web.go has browsers ask whether a file has changed.
        entryFileNames: "assets/app.js",
        assetFileNames: "assets/app[extname]",
        codeSplitting: false,
      },
    },
  },
  server: {
    proxy: {
      "/api": server,
      "/ws": { target: server, ws: true },
    },
  },
  test: {
    include: ["test/**/*.test.{ts,tsx}"],
    environment: "node",
    restoreMocks: true,
    // For machines that are busy.
    testTimeout: 60_000,
  },
});
