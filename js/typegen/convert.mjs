// The program that `usercast types` runs: the description of events as JSON on
// standard input, TypeScript on standard output. It is bundled into one file, which
// the Go program carries: see build.mjs.

import { text } from "node:stream/consumers";
import { toTypeScript } from "./typescript.mjs";

const major = Number(process.versions.node.split(".")[0]);
if (major < 18) {
  process.stderr.write(`this is Node.js ${process.versions.node}, and 18 or newer is needed\n`);
  process.exit(1);
}
process.stdout.write(await toTypeScript(JSON.parse(await text(process.stdin))));
