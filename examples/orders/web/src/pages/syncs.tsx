import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { accepted } from "../answers.ts";
import { type SyncState, type SyncType, syncTypes } from "../api.ts";
import { useSyncs } from "../shell/sync-data.tsx";
import { isOver, type Run } from "../syncs.ts";
import { Bar } from "../ui/bar.tsx";
import { Button } from "../ui/button.tsx";
import { Field } from "../ui/field.tsx";
import { count, Time } from "../ui/format.tsx";
import { PageHead } from "../ui/page-head.tsx";
import { Loaded } from "../ui/states.tsx";
import { useAct, useSession } from "../use-session.ts";

const about: Record<SyncType, string> = {
  customers: "Names, cities and addresses of all customers.",
  orders: "The orders of the last months, with their numbers.",
  products: "The catalogue.",
  prices: "Every price list of every product.",
};

export function SyncsPage() {
  const session = useSession();
  const { api, queries } = session;
  const query = useQuery(queries.syncs);
  const { runs } = useSyncs();
  const [note, setNote] = useState("");
  const start = useAct(
    (type: SyncType) => api.sync(type, note),
    ({ jobId }, type) =>
      accepted(session, jobId, {
        type: `sync${type.slice(0, 1).toUpperCase()}${type.slice(1)}`,
        entityId: type,
        entityName: type,
      }),
  );
  const run = (type: SyncType) => runs.find((one) => one.syncType === type);
  const free = syncTypes.filter((type) => !going(run(type)));
  const all = async () => {
    for (const type of free) await start.mutateAsync(type).catch(() => {});
  };
  return (
    <>
      <PageHead title="Syncs" hint="Copy what the ERP has. Your jobs run one after another.">
        <Button icon="sync" disabled={!free.length} busy={start.isPending} onClick={all}>
          Sync everything
        </Button>
      </PageHead>
      <Loaded query={query}>
        {(states) => (
          <div className="cards">
            {syncTypes.map((type) => (
              <SyncCard
                key={type}
                type={type}
                state={states.find(({ syncType }) => syncType === type)}
                run={run(type)}
                starting={start.isPending && start.variables === type}
                start={() => start.mutate(type)}
              />
            ))}
          </div>
        )}
      </Loaded>
      <section className="card quiet-card">
        <Field
          label="Note for the next sync"
          hint="For the curious: #slow takes about 15 seconds, #flaky fails once, #fail for good, #hang never answers."
        >
          <input value={note} maxLength={500} placeholder="#slow" onChange={(event) => setNote(event.target.value)} />
        </Field>
      </section>
    </>
  );
}

const going = (run: Run | undefined): run is Run => run !== undefined && !isOver(run);

interface CardProps {
  type: SyncType;
  state: SyncState | undefined;
  run: Run | undefined;
  starting: boolean;
  start(): void;
}

function SyncCard({ type, state, run, starting, start }: CardProps) {
  const { api } = useSession();
  const cancel = useAct((job: string) => api.cancelJob(job));
  const title = `${type.slice(0, 1).toUpperCase()}${type.slice(1)}`;
  const waits = run?.phase === "queued" || run?.phase === "retrying";
  return (
    <section className="card" aria-label={title} data-testid="sync-card" data-id={type}>
      <h2>{title}</h2>
      <p className="quiet-text">{about[type]}</p>
      {going(run) ? (
        <Bar
          label={
            run.phase === "queued"
              ? "Waits for its turn"
              : run.phase === "retrying"
                ? "Tries again"
                : run.label || "Running"
          }
          value={waits ? undefined : run.percent}
        />
      ) : (
        <p className="last-run">
          {state?.lastCompletedAt ? (
            <>
              <Time at={state.lastCompletedAt} />
              <span>{` · ${count(state.rows)} records`}</span>
            </>
          ) : (
            "Never run"
          )}
        </p>
      )}
      <div className="card-actions">
        {going(run) ? (
          <Button icon="cancel" busy={cancel.isPending} onClick={() => cancel.mutate(run.jobId)}>
            Cancel
          </Button>
        ) : (
          <Button icon="sync" busy={starting} onClick={start}>
            {`Sync ${type}`}
          </Button>
        )}
      </div>
    </section>
  );
}
