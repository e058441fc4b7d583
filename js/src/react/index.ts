export type { Hooks, HubProviderProps } from "./hooks.ts";
export { createHooks } from "./hooks.ts";
export type { JobAnswer, JobFields, JobStatus, Progress, ProgressOptions } from "./progress.ts";
