import { useEffect, useState } from "react";
import { useClient } from "../hub.ts";
import { IconButton } from "../ui/button.tsx";
import { Icon } from "../ui/icons.tsx";

const shownMs = 10_000;

const reasons: Record<string, string> = {
  restarted: "The server was restarted meanwhile.",
  expired: "This page was away for a long time.",
  evicted: "More happened meanwhile than the server keeps.",
  lagged: "More happened than this connection could carry.",
};

/** Says that events are missing. The lists on screen are fetched again by then: see createRules. */
export function GapNotice() {
  const client = useClient();
  const [gap, set] = useState<{ reason: string } | null>(null);
  useEffect(() => client.onGap(({ reason }) => set({ reason })), [client]);
  useEffect(() => {
    if (!gap) return;
    const timer = setTimeout(set, shownMs, null);
    return () => clearTimeout(timer);
  }, [gap]);
  if (!gap) return null;
  return (
    <div className="notice" role="status" data-testid="gap-notice" data-reason={gap.reason}>
      <Icon name="retry" />
      <p>
        <strong>Some changes were missed, so everything here was fetched again.</strong> {reasons[gap.reason]}
      </p>
      <IconButton kind="quiet" icon="close" label="Dismiss" onClick={() => set(null)} />
    </div>
  );
}
