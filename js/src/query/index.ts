export type { BindOptions, Rule, Rules, Target } from "./bind.ts";
export { bindQueryClient, update } from "./bind.ts";
