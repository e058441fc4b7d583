import { compile } from "json-schema-to-typescript";
import { toSafeString } from "json-schema-to-typescript/dist/src/utils.js";
import { layOut } from "./layout.mjs";

const options = {
  bannerComment: "",
  format: false,
  additionalProperties: false, // a payload has the fields that Go gives it
  unknownAny: true,
  strictIndexSignatures: true, // a key of a Go map may be missing
};

/**
 * Writes the TypeScript of a JSON Schema that module schema has made.
 *
 * @param {object} input
 * @param {object} input.schema properties: event → payload; $defs: the types
 * @param {{name: string, class: string, keyed?: boolean}[]} input.events
 * @param {string} input.header goes first, as it is
 * @param {boolean} input.classes write `eventClasses`, too: a value, which a .d.ts cannot have
 */
export async function toTypeScript({ schema, events, header, classes }) {
  const names = typeNames(Object.keys(schema.$defs ?? {}));
  const parts = [header, await declare(eventMap(schema, events, names), "EventMap")];
  if (classes) {
    parts.push(eventClasses(events));
  }
  // Each type is compiled alone: together the compiler would choose names itself,
  // and number those that it thinks are the same.
  for (const [key, def] of Object.entries(schema.$defs ?? {}).sort(byKey)) {
    parts.push(await declare(local(def, names), names.get(key)));
  }
  return layOut(parts.map((part) => part.trim()).join("\n\n"));
}

/** Compiles a schema. The type says how long a tuple is, so no comment has to. */
async function declare(schema, name) {
  const source = await compile(schema, name, options);
  return source
    .replace(/(\n \* ?)?\n \* @minItems \d+\n \* @maxItems \d+(?=\n \*\/)/g, "")
    .replace(/^\/\*\*\n \*\/\n/gm, "");
}

/** EventMap as a schema. */
function eventMap(schema, events, names) {
  const properties = events.map(({ name, class: kind, keyed }) => {
    const payload = local(schema.properties[name], names);
    const notes = [payload.description, note(kind, keyed)].filter(Boolean);
    return [name, { ...payload, ...(notes.length > 0 && { description: notes.join("\n\n") }) }];
  });
  return {
    type: "object",
    description: "The payload of each event, by its type.",
    properties: Object.fromEntries(properties),
    required: events.map(({ name }) => name),
  };
}

function note(kind, keyed) {
  switch (kind) {
    case "transient":
      return "Transient: it is not replayed after a reconnect.";
    case "latest":
      return "Latest: the newest value of its key is kept, and sent again after a reconnect.";
    default:
      return keyed ? "It has a key, whose latest value it ends." : "";
  }
}

function eventClasses(events) {
  const key = (name) => (/^[A-Za-z_$][\w$]*$/.test(name) ? name : JSON.stringify(name));
  const lines = events.map((e) => `${key(e.name)}: ${JSON.stringify(e.class)},`);
  return [
    "/** What the hub keeps of each event: see the Go type Class. */",
    "export const eventClasses = {",
    ...lines,
    '} as const satisfies { [K in keyof EventMap]: "buffered" | "transient" | "latest" };',
  ].join("\n");
}

const byKey = ([a], [b]) => (a < b ? -1 : 1);

/** Gives each definition a name that TypeScript and the compiler leave as it is. */
function typeNames(keys) {
  const taken = new Set(["EventMap"]);
  const names = new Map();
  for (const key of [...keys].sort()) {
    const safe = toSafeString(key);
    let name = safe;
    for (let n = 2; taken.has(name); n++) {
      name = `${safe}${n}`;
    }
    taken.add(name);
    names.set(key, name);
  }
  return names;
}

/**
 * Copies a schema with each reference as the name of a TypeScript type, so that the
 * compiler has nothing to resolve and a description may stand beside it.
 */
function local(schema, names) {
  if (schema === false || schema.not === true) {
    return { tsType: "never" };
  }
  if (schema === true || Object.keys(schema).every((k) => annotations.has(k))) {
    return { ...pick(schema, "description", "deprecated"), tsType: "unknown" };
  }
  const { $ref, title: _title, $id: _id, id: _oldId, $defs: _defs, ...copy } = schema;
  if ($ref !== undefined) {
    return { ...pick(schema, "description", "deprecated"), tsType: names.get($ref.replace("#/$defs/", "")) };
  }
  if (copy.maxItems > longestTuple) {
    delete copy.minItems;
    delete copy.maxItems;
  }
  for (const key of ["items", "additionalProperties", "not"]) {
    if (typeof copy[key] === "object" || copy[key] === true) {
      copy[key] = local(copy[key], names);
    }
  }
  for (const key of ["anyOf", "oneOf", "allOf"]) {
    copy[key] &&= copy[key].map((s) => local(s, names));
  }
  for (const key of ["properties", "patternProperties"]) {
    copy[key] &&= Object.fromEntries(Object.entries(copy[key]).map(([k, s]) => [k, local(s, names)]));
  }
  return copy;
}

/** A Go array of more elements than these is an array in TypeScript, too. */
const longestTuple = 8;

/** Keywords that allow everything. */
const annotations = new Set([
  "title",
  "description",
  "deprecated",
  "default",
  "examples",
  "$comment",
  "readOnly",
  "writeOnly",
]);

function pick(object, ...keys) {
  return Object.fromEntries(keys.filter((k) => object[k] !== undefined).map((k) => [k, object[k]]));
}
