import { useQuery } from "@tanstack/react-query";
import { useCallback, useState } from "react";
import { ordersDeleted, ordersSaved } from "../answers.ts";
import type { OrderInput } from "../api.ts";
import type { PendingOrder } from "../events.gen.ts";
import { inputOfOrder } from "../order-draft.ts";
import { useNewKey } from "../shell/shortcuts.tsx";
import { Button } from "../ui/button.tsx";
import { Confirm } from "../ui/dialog.tsx";
import { useFlash } from "../ui/flash.ts";
import { plural } from "../ui/format.tsx";
import { PageHead } from "../ui/page-head.tsx";
import { Empty, Loaded } from "../ui/states.tsx";
import { useAct, useSession } from "../use-session.ts";
import { PendingForm } from "./pending-form.tsx";
import { PendingRow } from "./pending-row.tsx";

const idOf = ({ id }: PendingOrder) => id;
/** As many as one request may carry. */
const maxBatch = 200;

type Open = { form: PendingOrder | null } | { remove: readonly PendingOrder[] } | null;

export function PendingPage() {
  const { queries } = useSession();
  const query = useQuery(queries.pending);
  const [marked, setMarked] = useState<ReadonlySet<string>>(new Set());
  const [shown, open] = useState<Open>(null);
  const close = () => open(null);
  const create = useCallback(() => open({ form: null }), []);
  useNewKey(create);
  const flash = useFlash(query.data, idOf);
  const orders = query.data ?? [];
  // What another device has deleted or submitted is marked no longer.
  const chosen = orders.filter(({ id }) => marked.has(id));
  const mark = (ids: readonly string[], on: boolean) =>
    setMarked((old) => new Set(on ? [...old, ...ids] : [...old].filter((id) => !ids.includes(id))));

  return (
    <>
      <PageHead title="Pending orders" hint="Yours until they are submitted to the ERP.">
        <Button kind="primary" icon="plus" onClick={create}>
          New order
        </Button>
      </PageHead>
      <Loaded query={query}>
        {() =>
          orders.length ? (
            <>
              {chosen.length > 0 && (
                <Batch chosen={chosen} clear={() => setMarked(new Set())} remove={() => open({ remove: chosen })} />
              )}
              <Table
                orders={orders}
                marked={marked}
                flash={flash}
                mark={mark}
                edit={(order) => open({ form: order })}
                remove={(order) => open({ remove: [order] })}
              />
            </>
          ) : (
            <Empty icon="inbox" title="No pending orders">
              <p>What you enter on any device waits here until you submit it.</p>
              <Button kind="primary" icon="plus" onClick={create}>
                New order
              </Button>
            </Empty>
          )
        }
      </Loaded>
      {shown && "form" in shown && <PendingForm order={shown.form} onClose={close} />}
      {shown && "remove" in shown && <Remove orders={shown.remove} onClose={close} />}
    </>
  );
}

interface TableProps {
  orders: readonly PendingOrder[];
  marked: ReadonlySet<string>;
  flash: ReadonlySet<string>;
  mark(ids: readonly string[], on: boolean): void;
  edit(order: PendingOrder): void;
  remove(order: PendingOrder): void;
}

function Table({ orders, marked, flash, mark, edit, remove }: TableProps) {
  const free = orders.filter(({ status }) => status !== "submitting").map(idOf);
  const all = free.length > 0 && free.every((id) => marked.has(id));
  return (
    <table className="table">
      <caption className="sr">Pending orders</caption>
      <thead>
        <tr>
          <th className="check">
            <input
              type="checkbox"
              aria-label="Select all"
              checked={all}
              disabled={!free.length}
              onChange={(event) => mark(free, event.target.checked)}
            />
          </th>
          <th>Order</th>
          <th className="wide">Lines</th>
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
          <PendingRow
            key={order.id}
            order={order}
            marked={marked.has(order.id)}
            flash={flash.has(order.id)}
            onMark={(on) => mark([order.id], on)}
            onEdit={() => edit(order)}
            onRemove={() => remove(order)}
          />
        ))}
      </tbody>
    </table>
  );
}

/** What can be done to many at once: one request, one event. */
function Batch({ chosen, clear, remove }: { chosen: readonly PendingOrder[]; clear(): void; remove(): void }) {
  const session = useSession();
  const batch = useAct(
    (orders: (OrderInput & { id?: string })[]) => session.api.batchPending(orders),
    async (rows, sent) => {
      await ordersSaved(
        session,
        rows,
        sent.flatMap(({ id }) => id ?? []),
      );
      clear();
    },
  );
  const some = chosen.slice(0, maxBatch);
  const duplicate = () => batch.mutate(some.map(inputOfOrder));
  const raise = () =>
    batch.mutate(
      some.map((order) => {
        const input = inputOfOrder(order);
        return { id: order.id, ...input, lines: input.lines.map((line) => ({ ...line, quantity: line.quantity + 1 })) };
      }),
    );
  return (
    <div className="batch" role="toolbar" aria-label="Selected orders">
      <span>{`${chosen.length} selected`}</span>
      <Button className="small" icon="copy" busy={batch.isPending} onClick={duplicate}>
        Duplicate
      </Button>
      <Button className="small" icon="raise" busy={batch.isPending} onClick={raise}>
        Raise quantities
      </Button>
      <Button className="small" icon="trash" kind="danger" onClick={remove}>
        Delete
      </Button>
      <Button className="small" kind="quiet" onClick={clear}>
        Clear
      </Button>
    </div>
  );
}

function Remove({ orders, onClose }: { orders: readonly PendingOrder[]; onClose(): void }) {
  const session = useSession();
  const remove = useAct(
    (ids: string[]) => session.api.deletePending(ids),
    (_, ids) => {
      ordersDeleted(session, ids);
      onClose();
    },
  );
  const [first] = orders;
  return (
    <Confirm
      title={orders.length === 1 ? "Delete this order?" : `Delete ${orders.length} orders?`}
      action={orders.length === 1 ? "Delete order" : `Delete ${plural(orders.length, "order")}`}
      busy={remove.isPending}
      onConfirm={() => remove.mutate(orders.map(idOf))}
      onClose={onClose}
    >
      <p>
        {orders.length === 1 ? `The order of ${first?.customerName} will be gone` : "They will be gone"} on all your
        devices.
      </p>
    </Confirm>
  );
}
