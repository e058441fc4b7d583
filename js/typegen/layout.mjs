/**
 * Indents TypeScript declarations and ends their lines with semicolons. It knows
 * the output of json-schema-to-typescript, one member a line, and no more: a real
 * formatter is thirty times as large as all the rest of the bundle.
 */
export function layOut(source) {
  const out = [];
  const opened = []; // where in out the objects begin that are not closed yet
  let depth = 0;
  let inComment = false;
  let statement = ""; // how the declaration at depth 0 began
  for (const raw of source.split("\n")) {
    let line = inComment ? raw.trimEnd() : raw.trim();
    if (line === "" && (depth > 0 || out.at(-1) === "")) {
      continue;
    }
    if (inComment || line.startsWith("/*")) {
      inComment = !line.endsWith("*/");
      // Lines of a comment begin with " *", and code in one may be indented.
      out.push("  ".repeat(depth) + (line.startsWith("/*") ? line : ` ${line.trimStart()}`));
      continue;
    }
    if (line === "" || line.startsWith("//")) {
      out.push(line);
      continue;
    }
    if (line.startsWith("}")) {
      depth--;
      line = unwrap(out, opened.pop(), line);
    }
    if (depth === 0 && !line.startsWith("}")) {
      statement = line;
    }
    out.push("  ".repeat(depth) + ended(line, depth, statement));
    if (line.endsWith("{")) {
      opened.push(out.length - 1);
      depth++;
    }
  }
  return `${out.join("\n").trimEnd()}\n`;
}

/** The line with a semicolon, where one belongs. */
function ended(line, depth, statement) {
  if (/[{;,]$/.test(line) || (depth === 0 && line === "}" && /^export (interface|enum)/.test(statement))) {
    return line;
  }
  return `${withoutParentheses(line)};`;
}

const member = /^(?:export type \w+ =|\w+\??:|"(?:[^"\\]|\\.)*"\??:|\[k: string\]:) /;

/** `name: ({` … `} | null)` without its parentheses, which are in two lines. */
function unwrap(out, at, line) {
  const begin = out[at].trimStart();
  const start = member.exec(begin)?.[0];
  if (start === undefined || !/^\([^()]*\{$/.test(begin.slice(start.length)) || !/^\}[^()]*\)$/.test(line)) {
    return line;
  }
  out[at] = out[at].replace(`${start}(`, () => start);
  return line.slice(0, -1);
}

/** `name: (A | B)` as `name: A | B`. */
function withoutParentheses(line) {
  const start = member.exec(line)?.[0];
  const type = start && /^\((.*)\)$/.exec(line.slice(start.length))?.[1];
  if (type === undefined) {
    return line;
  }
  let open = 0;
  for (const token of type.match(/"(?:[^"\\]|\\.)*"|[()]/g) ?? []) {
    open += token === "(" ? 1 : token === ")" ? -1 : 0;
    if (open < 0) {
      return line; // "(A | B)[] | (C)": these two are no pair
    }
  }
  return start + type;
}
