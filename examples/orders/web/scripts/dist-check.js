// Fails if dist is not what `npm run build` makes of the sources.

import { execFileSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";

/** The files of a folder, by their paths in it. */
function files(dir) {
  const names = readdirSync(dir, { recursive: true }).map((name) => join(dir, String(name)));
  return new Map(
    names.filter((name) => statSync(name).isFile()).map((name) => [relative(dir, name), readFileSync(name)]),
  );
}

const dir = mkdtempSync(join(tmpdir(), "orders-dist-"));
try {
  execFileSync("npx", ["vite", "build", "--logLevel", "warn"], {
    env: { ...process.env, ORDERS_DIST: dir },
    stdio: "inherit",
  });
  const [fresh, committed] = [files(dir), files("dist")];
  const stale = [...new Set([...fresh.keys(), ...committed.keys()])].filter(
    (name) => !(fresh.get(name) && committed.get(name)?.equals(fresh.get(name))),
  );
  if (stale.length) {
    console.error(`dist is stale (${stale.sort().join(", ")}): npm run build`);
    process.exitCode = 1;
  } else {
    console.log(`dist is fresh: ${[...fresh].map(([name, data]) => `${name} ${data.length}`).join(", ")}`);
  }
} finally {
  rmSync(dir, { recursive: true });
}
