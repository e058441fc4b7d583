export * from "../src/index.ts";
export { shareTabs } from "../src/tabs/index.ts";
