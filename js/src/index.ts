export { createClient } from "./client.ts";
export { sessionCursor } from "./cursor.ts";
export type * from "./types.ts";
export { Unauthorized } from "./unauthorized.ts";
