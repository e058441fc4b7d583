// Imports what was built as users do, by the package's own name, both ways, in a
// process without a WebSocket and without a page.

import { createRequire } from "node:module";

delete globalThis.WebSocket;
const require = createRequire(import.meta.url);
const names = {
  ".": ["createClient", "sessionCursor", "Unauthorized"],
  "/tabs": ["shareTabs"],
  "/react": ["createHooks"],
  "/monitor": ["useHubMonitor"],
  "/query": ["bindQueryClient", "update"],
};
for (const [entry, wanted] of Object.entries(names)) {
  const id = `@usercast/client${entry === "." ? "" : entry}`;
  const esm = await import(id);
  const cjs = require(id);
  for (const exports of [esm, cjs]) {
    for (const name of wanted) if (typeof exports[name] !== "function") throw new Error(`${id} has no ${name}`);
  }
  const [a, b] = [Object.keys(esm).sort().join(), Object.keys(cjs).sort().join()];
  if (a !== b) throw new Error(`${id}: ESM has ${a}, CJS has ${b}`);
  console.log(`${id}: ${a}`);
}
const { createClient } = await import("@usercast/client");
const client = createClient({ url: "wss://hub.example/ws" });
if (client.state.phase !== "idle") throw new Error("a client that nobody connects must be idle");
client.destroy();
