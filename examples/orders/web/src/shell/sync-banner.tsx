import { useConnectionState } from "../hub.ts";
import { isOver, summarize } from "../syncs.ts";
import { Button } from "../ui/button.tsx";
import { duration, useNow } from "../ui/format.tsx";
import { Icon } from "../ui/icons.tsx";
import { useAct, useSession } from "../use-session.ts";
import { useSyncs } from "./sync-data.tsx";

/** One banner for all syncs: how far they are, how long it will take; gone some seconds after the last one's end. */
export function SyncBanner() {
  const syncs = useSyncs();
  const { api } = useSession();
  const { stale } = useConnectionState();
  const now = useNow(1_000);
  const cancel = useAct((ids: string[]) => Promise.all(ids.map((id) => api.cancelJob(id))));
  const summary = summarize(syncs, now);
  if (!summary) return null;
  const { tone, percent, title, detail, etaMs } = summary;
  const going = syncs.runs.filter((run) => !isOver(run)).map(({ jobId }) => jobId);
  const eta =
    tone !== "running"
      ? ""
      : stale
        ? "not connected: it may be further"
        : etaMs === null
          ? ""
          : `${duration(etaMs)} left`;
  return (
    <section
      className={`sync-banner ${tone} ${stale ? "stale" : ""}`}
      aria-label="Sync"
      data-testid="sync-banner"
      data-tone={tone}
    >
      <Icon name={tone === "failed" ? "warn" : tone === "done" ? "check" : "sync"} />
      <div className="sync-words" role="status">
        <strong>{title}</strong>
        <span>{[detail, eta].filter(Boolean).join(" · ")}</span>
      </div>
      <span className="sync-percent">{percent} %</span>
      {going.length > 0 && (
        <Button className="small" busy={cancel.isPending} onClick={() => cancel.mutate(going)}>
          {going.length > 1 ? "Cancel all" : "Cancel"}
        </Button>
      )}
      <div
        className="sync-line"
        role="progressbar"
        aria-label={title}
        aria-valuemin={0}
        aria-valuemax={100}
        aria-valuenow={percent}
      >
        <div style={{ width: `${percent}%` }} />
      </div>
    </section>
  );
}

/** The same in the header, for who has scrolled away. */
export function SyncBadge() {
  const summary = summarize(useSyncs(), useNow(1_000));
  if (!summary) return null;
  const { tone, percent, title } = summary;
  return (
    <a className={`badge sync-badge ${tone}`} href="#/syncs" title={title} data-testid="sync-badge">
      <Icon name={tone === "failed" ? "warn" : tone === "done" ? "check" : "sync"} />
      <span>{tone === "running" ? `${percent} %` : tone === "done" ? "Synced" : "Sync failed"}</span>
    </a>
  );
}
