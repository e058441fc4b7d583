import { useQuery } from "@tanstack/react-query";
import { isActive } from "../jobs.ts";
import { IconButton } from "../ui/button.tsx";
import { plural } from "../ui/format.tsx";
import { Icon } from "../ui/icons.tsx";
import { useSession } from "../use-session.ts";
import { ConnectionBadge } from "./connection-badge.tsx";
import type { Layer } from "./shell.tsx";
import { SyncBadge } from "./sync-banner.tsx";
import { UserMenu } from "./user-menu.tsx";

export function Header({ open }: { open(layer: Layer): void }) {
  return (
    <header className="top">
      <a className="brand" href="#/pending" aria-label="Order book">
        <span className="brand-mark" aria-hidden="true" />
        <span className="brand-name">Order book</span>
      </a>
      <ConnectionBadge />
      <div className="top-right">
        <SyncBadge />
        <JobsButton open={open} />
        <Bell open={open} />
        <UserMenu open={open} />
      </div>
    </header>
  );
}

function JobsButton({ open }: { open(layer: Layer): void }) {
  const { queries } = useSession();
  const { data = [] } = useQuery(queries.jobs);
  const active = data.filter(isActive);
  const running = active.filter(({ status }) => status === "running");
  const what = active.length ? `: ${running.length} running, ${active.length - running.length} waiting` : "";
  return (
    <IconButton kind="quiet" icon="jobs" label={`Jobs${what}`} className="with-count" onClick={() => open("jobs")}>
      {active.length > 0 && (
        <span className={`count ${running.length ? "running" : ""}`} data-testid="job-count">
          {active.length}
        </span>
      )}
    </IconButton>
  );
}

function Bell({ open }: { open(layer: Layer): void }) {
  const { queries } = useSession();
  const { data } = useQuery(queries.notifications);
  const unread = data?.unread ?? 0;
  return (
    <button
      type="button"
      className="button quiet icon-only with-count"
      aria-label={`Notifications: ${plural(unread, "unread one")}`}
      title="Notifications"
      onClick={() => open("notifications")}
    >
      <Icon name="bell" />
      <span className={`count ${unread ? "alert" : "none"}`} data-testid="unread-count">
        {unread}
      </span>
    </button>
  );
}
