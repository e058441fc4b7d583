// As bundlers see the package: for an IIFE esbuild adds a require() for each peer, which no page ships.
const limit = (name, limit) => ({
  name,
  limit,
  gzip: true,
  path: `dist/${name}.js`,
  modifyEsbuildConfig: (config) => ({ ...config, format: "esm" }),
});

export default [
  limit("index", "4 kB"),
  limit("tabs", "1.5 kB"),
  limit("react", "1 kB"),
  limit("monitor", "0.5 kB"),
  limit("query", "1 kB"),
];
