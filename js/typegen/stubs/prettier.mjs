// json-schema-to-typescript formats its output with prettier unless told not to, and
// it is told not to: 8 MB that stay out of the bundle.
export function format() {
  throw new Error("prettier is not in this bundle");
}
