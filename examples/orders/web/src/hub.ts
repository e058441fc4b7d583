import { createHooks } from "@usercast/client/react";
import type { EventMap } from "./events.gen.ts";

/** The hooks of this page's hub, typed by the events that the server defines. */
export const { HubProvider, useClient, useConnectionState, useEvent, useLatest, useProgress } = createHooks<EventMap>();
