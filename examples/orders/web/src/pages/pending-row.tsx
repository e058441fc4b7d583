import { accepted, orderLocked } from "../answers.ts";
import type { PendingOrder } from "../events.gen.ts";
import { Bar } from "../ui/bar.tsx";
import { IconButton } from "../ui/button.tsx";
import { money, plural, Time } from "../ui/format.tsx";
import { useAct, useSession, useWork } from "../use-session.ts";

interface RowProps {
  order: PendingOrder;
  marked: boolean;
  flash: boolean;
  onMark(on: boolean): void;
  onEdit(): void;
  onRemove(): void;
}

const words = { pending: "Pending", submitting: "Submitting", failed: "Failed" };

export function PendingRow({ order, marked, flash, onMark, onEdit, onRemove }: RowProps) {
  const { id, customerName, note, totalCents, status, updatedAt, jobId } = order;
  const lines = order.lines ?? [];
  const busy = status === "submitting";
  const work = useWork(busy ? jobId : null, "JOB_PROGRESS", `job:${jobId}`);
  return (
    <tr
      className={`${flash ? "flash" : ""} ${marked ? "marked" : ""}`}
      data-testid="order-row"
      data-id={id}
      data-status={status}
    >
      <td className="check">
        <input
          type="checkbox"
          aria-label="Select"
          checked={marked}
          disabled={busy}
          onChange={(event) => onMark(event.target.checked)}
        />
      </td>
      <td className="main-cell">
        <strong>{customerName}</strong>
        {note && <span className="note-text">{note}</span>}
        <span className="narrow">{`${plural(lines.length, "line")} · ${money(totalCents)}`}</span>
        {status !== "pending" && <span className={`tag narrow ${status}`}>{words[status]}</span>}
        {work && <Bar label={work.label} value={work.value} />}
      </td>
      <td className="wide lines-cell">{lines.map(({ product, quantity }) => `${quantity} × ${product}`).join(", ")}</td>
      <td className="wide number">{money(totalCents)}</td>
      <td className="wide">
        <span className={`tag ${status}`}>{words[status]}</span>
      </td>
      <td className="wide">
        <Time at={updatedAt} />
      </td>
      <td className="actions">
        <Actions order={order} onEdit={onEdit} onRemove={onRemove} />
      </td>
    </tr>
  );
}

function Actions({ order, onEdit, onRemove }: Pick<RowProps, "order" | "onEdit" | "onRemove">) {
  const session = useSession();
  const { id, customerName, jobId } = order;
  const submit = useAct(
    () => session.api.submit(id),
    (answer) => {
      orderLocked(session, order, answer.jobId);
      accepted(session, answer.jobId, { type: "submitOrder", entityId: id, entityName: customerName });
    },
  );
  const cancel = useAct((job: string) => session.api.cancelJob(job));
  if (order.status === "submitting")
    return (
      <IconButton
        kind="quiet"
        icon="cancel"
        label="Cancel"
        busy={cancel.isPending}
        disabled={!jobId}
        onClick={() => jobId && cancel.mutate(jobId)}
      />
    );
  return (
    <>
      <IconButton
        kind="quiet"
        icon="send"
        label="Submit"
        busy={submit.isPending}
        onClick={() => submit.mutate(undefined)}
      />
      <IconButton kind="quiet" icon="edit" label="Edit" onClick={onEdit} />
      <IconButton kind="quiet" icon="trash" label="Delete" onClick={onRemove} />
    </>
  );
}
