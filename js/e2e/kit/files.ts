import { readFile } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { inject } from "vitest";

const pages = fileURLToPath(new URL("../pages", import.meta.url));
const types: Record<string, string> = { html: "text/html", js: "text/javascript" };

/** Serves the pages, and what was built: `/dist/index.js` is the package's own. */
export class Files {
  /** How many documents were asked for. */
  documents = 0;
  /** What a page finds in `window.rendered`, as server-side rendering would put it there. */
  rendered: unknown = null;
  readonly #server: Server = createServer((request, response) => {
    this.#answer(new URL(request.url ?? "/", "http://localhost").pathname).then(
      ([type, body]) => response.writeHead(200, { "Content-Type": type, "Cache-Control": "no-store" }).end(body),
      (error) => response.writeHead(404).end(String(error)),
    );
  });

  listen(): Promise<void> {
    return new Promise((resolve) => this.#server.listen(0, "127.0.0.1", resolve));
  }

  get origin(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  close(): Promise<void> {
    return new Promise((resolve) => {
      this.#server.close(() => resolve());
      this.#server.closeAllConnections();
    });
  }

  async #answer(path: string): Promise<[string, string]> {
    const match = /^\/(?:(dist|vendor)\/)?([\w.-]+\.(html|js))$/.exec(path);
    if (!match) throw new Error(`nothing at ${path}`);
    const [, built, name = "", type = ""] = match;
    let text = await readFile(join(built ? join(inject("workshop"), built) : pages, name), "utf8");
    if (type === "html") {
      this.documents++;
      text = text.replace("RENDERED", JSON.stringify(this.rendered).replaceAll("<", "\\u003c"));
    }
    return [types[type] ?? "", text];
  }
}
