// Judges AsyncAPI documents, given as files: prints what the parser has to say and
// fails if it is an error or a warning, or if the document does not hold what it should.

import { readFile } from "node:fs/promises";
import { Parser } from "@asyncapi/parser";

const files = process.argv.slice(2);
if (files.length === 0) {
  throw new Error("usage: node check.mjs FILE…");
}
for (const file of files) {
  const { document, diagnostics } = await new Parser().parse(await readFile(file, "utf8"), { source: file });
  for (const d of diagnostics) {
    console.log(`${file}: ${["error", "warning", "information", "hint"][d.severity]}: ${d.path.join(".")}: ${d.message} (${d.code})`);
  }
  if (!document || diagnostics.some((d) => d.severity <= 1)) {
    process.exitCode = 1;
    continue;
  }
  const operations = document.operations().all();
  const sent = operations.filter((o) => o.isSend()).flatMap((o) => o.messages().all());
  const received = operations.filter((o) => o.isReceive()).flatMap((o) => o.messages().all());
  console.log(`${file}: AsyncAPI ${document.version()}: sends ${sent.length}: ${sent.map((m) => m.name()).join(" ")}; receives ${received.map((m) => m.name()).join(" ")}`);
}
