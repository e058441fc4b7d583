import { execFile } from "node:child_process";
import { access, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { build } from "tsdown";
import type { TestProject } from "vitest/node";

declare module "vitest" {
  interface ProvidedContext {
    /** What the tests run: `server`, `dist/`, `vendor/`, and room for profiles. */
    workshop: string;
    chromium: string;
  }
}

const run = promisify(execFile);
const js = fileURLToPath(new URL("../..", import.meta.url));

/** Builds, outside of the tree, what the tests run: so that nothing stale is tested, and nothing is left. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const chromium = process.env.CHROMIUM ?? "/usr/bin/chromium";
  await access(chromium).catch(() => {
    throw new Error(
      `no Chromium at ${chromium}: run scripts/e2e.sh, or apt-get install chromium, or set CHROMIUM to where it is`,
    );
  });
  const workshop = await mkdtemp(join(tmpdir(), "usercast-e2e-"));
  const cleanup = () => rm(workshop, { recursive: true, force: true, maxRetries: 5 });
  try {
    // All must have ended before the workshop can be removed.
    const built = await Promise.allSettled([buildServer(workshop), buildClient(workshop), buildVendor(workshop)]);
    for (const result of built) if (result.status === "rejected") throw result.reason;
  } catch (error) {
    await cleanup();
    throw error;
  }
  project.provide("workshop", workshop);
  project.provide("chromium", chromium);
  return cleanup;
}

async function buildServer(workshop: string) {
  await run("go", ["build", "-o", join(workshop, "server"), "./js/e2e/server"], { cwd: join(js, "..") });
}

/** The package as it is published, but for its types. */
async function buildClient(workshop: string) {
  await build({ cwd: js, format: "esm", dts: false, outDir: join(workshop, "dist"), clean: false, logLevel: "warn" });
}

/** React is published as CommonJS only, which no browser loads. */
async function buildVendor(workshop: string) {
  const require = createRequire(import.meta.url);
  const entries = { react: "react", "react-dom": "react-dom/client" };
  const source = join(workshop, "vendor-src");
  await mkdir(source);
  const entry: Record<string, string> = {};
  for (const [file, name] of Object.entries(entries)) {
    entry[file] = join(source, `${file}.js`);
    const names = Object.keys(require(name)).filter((key) => key !== "default");
    const from = JSON.stringify(require.resolve(name));
    await writeFile(entry[file], `import * as all from ${from};\nexport const { ${names.join(", ")} } = all;\n`);
  }
  await build({
    config: false,
    cwd: js,
    entry,
    format: "esm",
    platform: "browser",
    dts: false,
    outDir: join(workshop, "vendor"),
    deps: { alwaysBundle: [/./] },
    fixedExtension: false,
    // Only React's development build mounts everything twice.
    env: { NODE_ENV: "development" },
    clean: false,
    logLevel: "error",
  });
}
