import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { accepted, submittedLocked } from "../answers.ts";
import type { SubmittedOrder } from "../events.gen.ts";
import { Bar } from "../ui/bar.tsx";
import { Button, IconButton } from "../ui/button.tsx";
import { Confirm, Dialog } from "../ui/dialog.tsx";
import { Field } from "../ui/field.tsx";
import { useFlash } from "../ui/flash.ts";
import { money, Time } from "../ui/format.tsx";
import { PageHead } from "../ui/page-head.tsx";
import { Empty, Loaded, Problem } from "../ui/states.tsx";
import { type ProgressType, useAct, useSession, useWork } from "../use-session.ts";

const idOf = ({ orderId }: SubmittedOrder) => orderId;
const nameOf = ({ orderNumber, customerName }: SubmittedOrder) =>
  orderNumber ? `${orderNumber}, ${customerName}` : customerName;

const words = { submitted: "Submitted", editing: "Editing", deleting: "Deleting", sending: "Sending", sent: "Sent" };

type Open = { what: "edit" | "delete"; order: SubmittedOrder } | null;

export function SubmittedPage() {
  const { queries } = useSession();
  const query = useQuery(queries.submitted);
  const [shown, open] = useState<Open>(null);
  const flash = useFlash(query.data, idOf);
  return (
    <>
      <PageHead title="Submitted orders" hint="In the ERP: what is done to them there takes a moment." />
      <Loaded query={query}>
        {(orders) =>
          orders.length ? (
            <table className="table">
              <caption className="sr">Submitted orders</caption>
              <thead>
                <tr>
                  <th className="number-cell wide">Number</th>
                  <th>Order</th>
                  <th className="number wide">Total</th>
                  <th className="wide">Status</th>
                  <th className="wide">Changed</th>
                  <th className="actions">
                    <span className="sr">Actions</span>
                  </th>
                </tr>
              </thead>
              <tbody>
                {orders.map((order) => (
                  <SubmittedRow key={order.orderId} order={order} flash={flash.has(order.orderId)} open={open} />
                ))}
              </tbody>
            </table>
          ) : (
            <Empty icon="inbox" title="No submitted orders">
              <p>A pending order that is submitted comes here when the ERP has it.</p>
            </Empty>
          )
        }
      </Loaded>
      {shown?.what === "edit" && <EditNote order={shown.order} onClose={() => open(null)} />}
      {shown?.what === "delete" && <Remove order={shown.order} onClose={() => open(null)} />}
    </>
  );
}

const progressTypes: Partial<Record<SubmittedOrder["status"], ProgressType>> = {
  editing: "ORDER_EDIT_PROGRESS",
  deleting: "ORDER_DELETE_PROGRESS",
  sending: "ORDER_SEND_TO_VERONA_PROGRESS",
};

function SubmittedRow({ order, flash, open }: { order: SubmittedOrder; flash: boolean; open(open: Open): void }) {
  const { api } = useSession();
  const { orderId, orderNumber, customerName, totalCents, note, status, jobId, updatedAt } = order;
  const type = progressTypes[status];
  const work = useWork(type ? jobId : null, type ?? "ORDER_EDIT_PROGRESS", `order:${orderId}`);
  const verona = useStart(order, "sendToVerona", "sending", () => api.sendToVerona(orderId));
  const cancel = useAct((job: string) => api.cancelJob(job));
  return (
    <tr className={flash ? "flash" : ""} data-testid="submitted-row" data-id={orderId} data-status={status}>
      <td className="number-cell wide">{orderNumber ?? <span className="quiet-text">numbering…</span>}</td>
      <td className="main-cell">
        <strong>{customerName}</strong>
        {note && <span className="note-text">{note}</span>}
        <span className="narrow">{`${orderNumber ?? "numbering…"} · ${money(totalCents)}`}</span>
        <span className={`tag narrow ${status}`}>{words[status]}</span>
        {work && <Bar label={work.label} value={work.value} />}
      </td>
      <td className="wide number">{money(totalCents)}</td>
      <td className="wide">
        <span className={`tag ${status}`}>{words[status]}</span>
      </td>
      <td className="wide">
        <Time at={updatedAt} />
      </td>
      <td className="actions">
        {type ? (
          <IconButton
            kind="quiet"
            icon="cancel"
            label="Cancel"
            busy={cancel.isPending}
            disabled={!jobId}
            onClick={() => jobId && cancel.mutate(jobId)}
          />
        ) : status === "sent" ? null : (
          <>
            <IconButton
              kind="quiet"
              icon="truck"
              label="Send to Verona"
              busy={verona.isPending}
              onClick={() => verona.mutate(undefined)}
            />
            <IconButton kind="quiet" icon="edit" label="Edit note" onClick={() => open({ what: "edit", order })} />
            <IconButton kind="quiet" icon="trash" label="Delete" onClick={() => open({ what: "delete", order })} />
          </>
        )}
      </td>
    </tr>
  );
}

/** Starts a job on a submitted order, and shows it as being at work. */
function useStart<V>(
  order: SubmittedOrder,
  type: "editOrder" | "deleteOrder" | "sendToVerona",
  status: SubmittedOrder["status"],
  run: (value: V) => Promise<{ jobId: string }>,
  done?: () => void,
) {
  const session = useSession();
  return useAct(
    run,
    ({ jobId }) => {
      submittedLocked(session, order, { status, jobId });
      accepted(session, jobId, { type, entityId: order.orderId, entityName: nameOf(order) });
      done?.();
    },
    { quiet: type === "editOrder" },
  );
}

function EditNote({ order, onClose }: { order: SubmittedOrder; onClose(): void }) {
  const { api } = useSession();
  const [note, setNote] = useState(order.note);
  const edit = useStart(
    order,
    "editOrder",
    "editing",
    (text: string) => api.editSubmitted(order.orderId, text),
    onClose,
  );
  return (
    <Dialog title={`Edit note of ${nameOf(order)}`} onClose={onClose}>
      <form
        className="form"
        onSubmit={(event) => {
          event.preventDefault();
          edit.mutate(note);
        }}
      >
        <Field label="Note" hint="With #slow, #flaky, #fail or #hang in it the ERP behaves accordingly.">
          <textarea rows={3} maxLength={500} value={note} onChange={(event) => setNote(event.target.value)} />
        </Field>
        {edit.error && <Problem error={edit.error} />}
        <footer className="dialog-foot">
          <Button onClick={onClose}>Cancel</Button>
          <Button kind="primary" type="submit" busy={edit.isPending}>
            Save in the ERP
          </Button>
        </footer>
      </form>
    </Dialog>
  );
}

function Remove({ order, onClose }: { order: SubmittedOrder; onClose(): void }) {
  const { api } = useSession();
  const remove = useStart(order, "deleteOrder", "deleting", () => api.deleteSubmitted(order.orderId), onClose);
  return (
    <Confirm
      title="Delete this order in the ERP?"
      action="Delete order"
      busy={remove.isPending}
      onConfirm={() => remove.mutate(undefined)}
      onClose={onClose}
    >
      <p>{`${nameOf(order)}, ${money(order.totalCents)}.`}</p>
    </Confirm>
  );
}
