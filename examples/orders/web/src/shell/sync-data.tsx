import { useQuery } from "@tanstack/react-query";
import { createContext, type ReactNode, use, useEffect, useReducer } from "react";
import { useEvent } from "../hub.ts";
import { hidesAt, noSyncs, reduceSyncs, type Syncs } from "../syncs.ts";
import { useSession } from "../use-session.ts";

const context = createContext<Syncs>(noSyncs);

export const useSyncs = () => use(context);

/** Follows every sync: by its events, and by the list of jobs for what no event has told. */
export function SyncProvider({ children }: { children: ReactNode }) {
  const [syncs, dispatch] = useReducer(reduceSyncs, noSyncs);
  const { queries } = useSession();
  const { data: jobs } = useQuery(queries.jobs);
  const hear = (payload: unknown, { type }: { type: string }) =>
    dispatch({ kind: "event", type, payload, now: Date.now() });
  useEvent("SYNC_*", hear);
  useEvent("JOB_*", hear);
  useEffect(() => {
    if (jobs) dispatch({ kind: "jobs", jobs, now: Date.now() });
  }, [jobs]);
  useEffect(() => {
    const at = hidesAt(syncs);
    if (!Number.isFinite(at)) return;
    const timer = setTimeout(() => dispatch({ kind: "tick", now: Date.now() }), Math.max(0, at - Date.now()) + 20);
    return () => clearTimeout(timer);
  }, [syncs]);
  return <context.Provider value={syncs}>{children}</context.Provider>;
}
