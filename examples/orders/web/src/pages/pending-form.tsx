import { useQuery } from "@tanstack/react-query";
import { useId, useLayoutEffect, useRef, useState } from "react";
import { ordersSaved } from "../answers.ts";
import { ApiError, type OrderInput } from "../api.ts";
import type { PendingOrder } from "../events.gen.ts";
import {
  type Draft,
  draftOf,
  inputOf,
  inputOfOrder,
  type Meanwhile,
  meanwhile,
  newDraft,
  newLine,
} from "../order-draft.ts";
import { Button, IconButton } from "../ui/button.tsx";
import { Dialog } from "../ui/dialog.tsx";
import { Field, MoneyInput, NumberInput } from "../ui/field.tsx";
import { money } from "../ui/format.tsx";
import { Icon } from "../ui/icons.tsx";
import { Problem } from "../ui/states.tsx";
import { useAct, useSession } from "../use-session.ts";

interface FormProps {
  /** The order as it was when the form was opened; null: a new one. */
  order: PendingOrder | null;
  onClose(): void;
}

/** As many as the server takes. */
const maxLines = 50;

export function PendingForm({ order: opened, onClose }: FormProps) {
  const { queries } = useSession();
  const [draft, setDraft] = useState(() => (opened ? draftOf(opened) : newDraft()));
  const [order, setOrder] = useState(opened);
  // What the form compares with: the order as it was saved or taken over last.
  const [base, setBase] = useState<OrderInput | null>(() => opened && inputOfOrder(opened));
  const { data: orders } = useQuery(queries.pending);
  const save = useSave(order, draft, onClose, (saved) => {
    setOrder(saved);
    setBase(inputOfOrder(saved));
  });
  // While the own change is on its way the list may show it before the answer comes.
  const shown = orders?.find(({ id }) => id === order?.id);
  const news: Meanwhile = base && orders && !save.isPending ? meanwhile(base, shown) : { kind: "nothing" };
  const keep = (theirs: PendingOrder) => setBase(inputOfOrder(theirs));
  const take = (theirs: PendingOrder) => {
    setDraft(draftOf(theirs));
    keep(theirs);
  };
  const locked = news.kind === "gone" || news.kind === "submitting";

  return (
    <Dialog title={order ? "Edit order" : "New order"} onClose={onClose}>
      <form
        className="form"
        onSubmit={(event) => {
          event.preventDefault();
          if (!locked) save.mutate(draft);
        }}
      >
        <News news={news} take={take} keep={keep} />
        <CustomerField value={draft.customerId} onChange={(customerId) => setDraft({ ...draft, customerId })} />
        <Lines draft={draft} setDraft={setDraft} />
        <Field label="Note" hint="With #slow, #flaky, #fail or #hang in it the ERP behaves accordingly.">
          <textarea
            rows={2}
            maxLength={500}
            value={draft.note}
            onChange={(event) => setDraft({ ...draft, note: event.target.value })}
          />
        </Field>
        {save.error && <Problem error={said(save.error)} />}
        <footer className="dialog-foot">
          <span className="total">
            Total <strong>{money(totalOf(draft))}</strong>
          </span>
          <Button onClick={onClose}>Cancel</Button>
          <Button kind="primary" type="submit" busy={save.isPending} disabled={locked}>
            {order ? "Save" : "Create order"}
          </Button>
        </footer>
      </form>
    </Dialog>
  );
}

/**
 * Saves the order, and closes the form; but if more was typed while the answer was on its
 * way, the form stays, for more to be saved of what is then an order.
 */
function useSave(order: PendingOrder | null, draft: Draft, close: () => void, stay: (saved: PendingOrder) => void) {
  const session = useSession();
  const { api } = session;
  const newest = useRef(draft);
  useLayoutEffect(() => {
    newest.current = draft;
  });
  return useAct(
    (sent: Draft) => (order ? api.updatePending(order.id, inputOf(sent)) : api.createPending(inputOf(sent))),
    async (saved, sent) => {
      await ordersSaved(session, [saved], order ? [order.id] : []);
      if (newest.current === sent) close();
      else stay(saved);
    },
    { quiet: true },
  );
}

/** As far as it is typed. */
const totalOf = ({ lines }: Draft) =>
  lines.reduce((sum, { quantity, priceCents }) => sum + (quantity * priceCents || 0), 0);

/** A refusal because of somebody else's work says so by itself. */
const said = (error: Error) =>
  error instanceof ApiError && error.status === 404 && !error.fix
    ? new ApiError(
        404,
        error.message,
        error.field,
        "It was deleted or submitted meanwhile. Copy what you typed, and create a new order.",
      )
    : error;

interface NewsProps {
  news: Meanwhile;
  take(order: PendingOrder): void;
  keep(order: PendingOrder): void;
}

/** What another device did to the order. Nothing that is typed here is touched before a button is pressed. */
function News({ news, take, keep }: NewsProps) {
  if (news.kind === "nothing") return null;
  if (news.kind !== "changed")
    return (
      <div className="notice warn" role="alert" data-testid="edit-notice" data-kind={news.kind}>
        <Icon name="warn" />
        <p>
          {news.kind === "gone"
            ? "This order is gone: another device has deleted it, or it has reached the ERP."
            : "This order is being submitted, and cannot be changed any more."}
        </p>
      </div>
    );
  const { order, fields } = news;
  return (
    <div className="notice warn" role="alert" data-testid="edit-notice" data-kind="changed">
      <Icon name="warn" />
      <p>
        <strong>Another device has changed this order</strong> ({fields.join(", ")}). What you typed is untouched.
      </p>
      <div className="notice-actions">
        <Button className="small" onClick={() => take(order)}>
          Take over
        </Button>
        <Button className="small" kind="quiet" onClick={() => keep(order)}>
          Keep mine
        </Button>
      </div>
    </div>
  );
}

function CustomerField({ value, onChange }: { value: string; onChange(id: string): void }) {
  const { queries } = useSession();
  const { data: customers = [] } = useQuery(queries.customers);
  const known = customers.some(({ id }) => id === value);
  return (
    <Field label="Customer">
      <select value={value} onChange={(event) => onChange(event.target.value)} required>
        <option value="" disabled>
          Choose a customer
        </option>
        {value && !known && <option value={value}>{value}</option>}
        {customers.map(({ id, name, city }) => (
          <option key={id} value={id}>{`${name}, ${city}`}</option>
        ))}
      </select>
    </Field>
  );
}

function Lines({ draft, setDraft }: { draft: Draft; setDraft(draft: Draft): void }) {
  const { queries } = useSession();
  const { data: orders = [] } = useQuery(queries.pending);
  const products = new Set(orders.flatMap(({ lines }) => (lines ?? []).map(({ product }) => product)));
  const listId = useId();
  const { lines } = draft;
  const set = (key: number, change: Partial<Draft["lines"][number]>) =>
    setDraft({ ...draft, lines: lines.map((line) => (line.key === key ? { ...line, ...change } : line)) });
  return (
    <fieldset className="lines">
      <legend>Lines</legend>
      <datalist id={listId}>
        {[...products].map((product) => (
          <option key={product} value={product} />
        ))}
      </datalist>
      {lines.map(({ key, product, quantity, priceCents }) => (
        <div className="line" key={key}>
          <Field label="Product">
            <input
              value={product}
              list={listId}
              maxLength={100}
              required
              onChange={(event) => set(key, { product: event.target.value })}
            />
          </Field>
          <Field label="Quantity">
            <NumberInput value={quantity} max="10000" onNumber={(value) => set(key, { quantity: value })} />
          </Field>
          <Field label="Price">
            <MoneyInput max="100000" cents={priceCents} onCents={(cents) => set(key, { priceCents: cents })} />
          </Field>
          <IconButton
            kind="quiet"
            icon="trash"
            label="Remove line"
            disabled={lines.length === 1}
            onClick={() => setDraft({ ...draft, lines: lines.filter((line) => line.key !== key) })}
          />
        </div>
      ))}
      <Button
        className="small"
        icon="plus"
        disabled={lines.length >= maxLines}
        onClick={() => setDraft({ ...draft, lines: [...lines, newLine()] })}
      >
        Add line
      </Button>
    </fieldset>
  );
}
