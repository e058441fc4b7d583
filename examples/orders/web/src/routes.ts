import { useSyncExternalStore } from "react";
import type { IconName } from "./ui/icons.tsx";

export const routes = [
  { path: "pending", title: "Pending orders", short: "Pending", icon: "edit" },
  { path: "submitted", title: "Submitted orders", short: "Submitted", icon: "send" },
  { path: "history", title: "History", short: "History", icon: "clock" },
  { path: "customers", title: "Customers", short: "Customers", icon: "users" },
  { path: "syncs", title: "Syncs", short: "Syncs", icon: "sync" },
  { path: "monitor", title: "Monitor", short: "Monitor", icon: "chart" },
] as const satisfies readonly { path: string; title: string; short: string; icon: IconName }[];

export type Path = (typeof routes)[number]["path"];

function current(): Path {
  const path = location.hash.replace(/^#\/?/, "");
  return routes.find((route) => route.path === path)?.path ?? "pending";
}

/** Where the page is, by the address after the #. */
export function useRoute(): Path {
  return useSyncExternalStore((fn) => {
    addEventListener("hashchange", fn);
    return () => removeEventListener("hashchange", fn);
  }, current);
}

export function go(path: Path) {
  location.hash = `#/${path}`;
}
