export { createClient } from "./client.ts";
export { memoryCursor, sessionCursor } from "./cursor.ts";
export type * from "./types.ts";
export { Unauthorized } from "./unauthorized.ts";
