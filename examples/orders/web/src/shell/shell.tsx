import { type ReactNode, useState } from "react";
import { CustomersPage } from "../pages/customers.tsx";
import { HistoryPage } from "../pages/history.tsx";
import { MonitorPage } from "../pages/monitor.tsx";
import { PendingPage } from "../pages/pending.tsx";
import { SubmittedPage } from "../pages/submitted.tsx";
import { SyncsPage } from "../pages/syncs.tsx";
import { type Path, routes, useRoute } from "../routes.ts";
import { Icon } from "../ui/icons.tsx";
import { Announcer } from "./announcer.tsx";
import { GapNotice } from "./gap-notice.tsx";
import { Header } from "./header.tsx";
import { JobDrawer } from "./job-drawer.tsx";
import { MonitorProvider } from "./monitor-data.tsx";
import { NotificationDrawer } from "./notification-drawer.tsx";
import { ShortcutHelp, useShortcuts } from "./shortcuts.tsx";
import { SyncBanner } from "./sync-banner.tsx";
import { SyncProvider } from "./sync-data.tsx";

const pages: Record<Path, () => ReactNode> = {
  pending: PendingPage,
  submitted: SubmittedPage,
  history: HistoryPage,
  customers: CustomersPage,
  syncs: SyncsPage,
  monitor: MonitorPage,
};

/** What may lie over the page; one at a time. */
export type Layer = "jobs" | "notifications" | "help" | null;

export function Shell() {
  const path = useRoute();
  const [layer, open] = useState<Layer>(null);
  const close = () => open(null);
  useShortcuts(open);
  const Page = pages[path];
  return (
    <MonitorProvider>
      <SyncProvider>
        <a className="skip" href={`#/${path}`} onClick={(event) => focusMain(event)}>
          Skip to the page
        </a>
        <Header open={open} />
        <Tabs path={path} />
        <SyncBanner />
        <main id="main" tabIndex={-1}>
          <GapNotice />
          <Page key={path} />
        </main>
        {layer === "jobs" && <JobDrawer onClose={close} />}
        {layer === "notifications" && <NotificationDrawer onClose={close} />}
        {layer === "help" && <ShortcutHelp onClose={close} />}
        <Announcer />
      </SyncProvider>
    </MonitorProvider>
  );
}

function focusMain(event: { preventDefault(): void }) {
  event.preventDefault();
  document.getElementById("main")?.focus();
}

function Tabs({ path }: { path: Path }) {
  return (
    <nav className="tabs" aria-label="Pages">
      {routes.map((route) => (
        <a key={route.path} href={`#/${route.path}`} aria-current={route.path === path ? "page" : undefined}>
          <Icon name={route.icon} />
          <span>{route.short}</span>
        </a>
      ))}
    </nav>
  );
}
