// json-schema-to-typescript resolves every $ref with this package, files and URLs
// included. Here none is left when it is called: see typescript.mjs.
export class $RefParser {
  async dereference(_cwd, schema) {
    return schema;
  }
}
