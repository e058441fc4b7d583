export type { Client, ConnectionState, Meta } from "../types.ts";
