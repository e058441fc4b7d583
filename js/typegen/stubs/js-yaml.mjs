// json-schema-to-typescript can read schemas from YAML files. Here it reads none.
export function load() {
  throw new Error("js-yaml is not in this bundle");
}
export default { load };
