export type { Share } from "../types.ts";
