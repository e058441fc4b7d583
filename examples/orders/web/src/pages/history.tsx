import { useQuery } from "@tanstack/react-query";
import { useCallback, useState } from "react";
import type { HistoryRecord } from "../events.gen.ts";
import { historyLimit } from "../queries.ts";
import { useNewKey } from "../shell/shortcuts.tsx";
import { Bar } from "../ui/bar.tsx";
import { Button, IconButton } from "../ui/button.tsx";
import { useFlash } from "../ui/flash.ts";
import { count, money, Time } from "../ui/format.tsx";
import { PageHead } from "../ui/page-head.tsx";
import { Empty, Loaded } from "../ui/states.tsx";
import { useAct, useSession, useWork } from "../use-session.ts";
import { HistoryForm, RemoveRecord } from "./history-form.tsx";
import { HistoryImport } from "./history-import.tsx";

const idOf = ({ id }: HistoryRecord) => id;

type Open = { form: HistoryRecord | null } | { remove: HistoryRecord } | { imports: true } | null;

export function HistoryPage() {
  const { queries } = useSession();
  const [offset, setOffset] = useState(0);
  const [shown, open] = useState<Open>(null);
  const close = () => open(null);
  const create = useCallback(() => open({ form: null }), []);
  useNewKey(create);
  const query = useQuery(queries.history(offset));
  const flash = useFlash(query.isPlaceholderData ? undefined : query.data?.rows, idOf, offset);
  return (
    <>
      <PageHead title="History" hint="Sales of the past, in Fresis.">
        <Button icon="upload" onClick={() => open({ imports: true })}>
          Import
        </Button>
        <Button kind="primary" icon="plus" onClick={create}>
          New record
        </Button>
      </PageHead>
      <Loaded query={query}>
        {({ rows, total }) =>
          total ? (
            <>
              <Table rows={rows} flash={flash} open={open} />
              <Pager offset={offset} total={total} shown={rows.length} go={setOffset} />
            </>
          ) : (
            <Empty icon="clock" title="No records">
              <p>Add one, or import many at once.</p>
            </Empty>
          )
        }
      </Loaded>
      {shown && "form" in shown && <HistoryForm record={shown.form} onClose={close} />}
      {shown && "remove" in shown && <RemoveRecord record={shown.remove} onClose={close} />}
      {shown && "imports" in shown && <HistoryImport onClose={close} />}
    </>
  );
}

function Table({
  rows,
  flash,
  open,
}: {
  rows: readonly HistoryRecord[];
  flash: ReadonlySet<string>;
  open(open: Open): void;
}) {
  return (
    <table className="table">
      <caption className="sr">History</caption>
      <thead>
        <tr>
          <th>Record</th>
          <th className="number wide">Quantity</th>
          <th className="number wide">Revenue</th>
          <th className="wide">Changed</th>
          <th className="actions">
            <span className="sr">Actions</span>
          </th>
        </tr>
      </thead>
      <tbody>
        {rows.map((record) => (
          <HistoryRow key={record.id} record={record} flash={flash.has(record.id)} open={open} />
        ))}
      </tbody>
    </table>
  );
}

function HistoryRow({ record, flash, open }: { record: HistoryRecord; flash: boolean; open(open: Open): void }) {
  const { api, queries } = useSession();
  const { id, customerName, article, quantity, revenueCents, updatedAt, jobId } = record;
  const { data: type } = useQuery({ ...queries.jobs, select: (jobs) => jobs.find((job) => job.id === jobId)?.type });
  const edits = useWork(jobId, "FRESIS_HISTORY_EDIT_PROGRESS", `history:${id}`);
  const deletes = useWork(jobId, "FRESIS_HISTORY_DELETE_PROGRESS", `history:${id}`);
  const work = type === "deleteHistory" ? deletes : edits;
  const cancel = useAct((job: string) => api.cancelJob(job));
  return (
    <tr className={flash ? "flash" : ""} data-testid="history-row" data-id={id}>
      <td className="main-cell">
        <strong>{article}</strong>
        <span className="note-text">{customerName}</span>
        <span className="narrow">{`${count(quantity)} · ${money(revenueCents)}`}</span>
        {work && <Bar label={work.label} value={work.value} />}
      </td>
      <td className="number wide">{count(quantity)}</td>
      <td className="number wide">{money(revenueCents)}</td>
      <td className="wide">
        <Time at={updatedAt} />
      </td>
      <td className="actions">
        {jobId ? (
          <IconButton
            kind="quiet"
            icon="cancel"
            label="Cancel"
            busy={cancel.isPending}
            onClick={() => cancel.mutate(jobId)}
          />
        ) : (
          <>
            <IconButton kind="quiet" icon="edit" label="Edit" onClick={() => open({ form: record })} />
            <IconButton kind="quiet" icon="trash" label="Delete" onClick={() => open({ remove: record })} />
          </>
        )}
      </td>
    </tr>
  );
}

interface PagerProps {
  offset: number;
  total: number;
  shown: number;
  go(offset: number): void;
}

function Pager({ offset, total, shown, go }: PagerProps) {
  const last = Math.max(0, Math.ceil(total / historyLimit) - 1) * historyLimit;
  const to = (next: number) => go(Math.min(Math.max(0, next), last));
  return (
    <nav className="pager" aria-label="Pages of the history">
      <span data-testid="history-total" role="status">
        {shown
          ? `${count(offset + 1)}–${count(offset + shown)} of ${count(total)}`
          : `none here, ${count(total)} in all`}
      </span>
      <Button className="small" disabled={offset === 0} onClick={() => to(0)}>
        First
      </Button>
      <Button className="small" disabled={offset === 0} onClick={() => to(offset - historyLimit)}>
        Previous
      </Button>
      <Button className="small" disabled={offset >= last} onClick={() => to(offset + historyLimit)}>
        Next
      </Button>
    </nav>
  );
}
