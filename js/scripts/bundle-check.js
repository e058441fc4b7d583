// Fails if bundle/usercast.js is not what `npm run bundle` makes of the sources.

import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const dir = mkdtempSync(join(tmpdir(), "usercast-bundle-"));
try {
  execFileSync("npx", ["tsdown", "--config", "tsdown.bundle.ts", "--logLevel", "error"], {
    env: { ...process.env, USERCAST_BUNDLE_DIR: dir },
    stdio: "inherit",
  });
  const fresh = readFileSync(join(dir, "usercast.js"));
  if (!fresh.equals(readFileSync("bundle/usercast.js"))) {
    console.error("bundle/usercast.js is stale: npm run bundle");
    process.exitCode = 1;
  } else console.log(`bundle/usercast.js is fresh: ${fresh.length} bytes`);
} finally {
  rmSync(dir, { recursive: true });
}
