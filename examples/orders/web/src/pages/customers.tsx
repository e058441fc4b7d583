import { useQuery } from "@tanstack/react-query";
import { useMemo, useState } from "react";
import { accepted, customerLocked } from "../answers.ts";
import type { CustomerInput } from "../api.ts";
import { extent, search, sorted } from "../customers.ts";
import type { Customer } from "../events.gen.ts";
import { isActive } from "../jobs.ts";
import { Bar } from "../ui/bar.tsx";
import { Button, IconButton } from "../ui/button.tsx";
import { Dialog } from "../ui/dialog.tsx";
import { Field } from "../ui/field.tsx";
import { useFlash } from "../ui/flash.ts";
import { Time } from "../ui/format.tsx";
import { PageHead } from "../ui/page-head.tsx";
import { Empty, Loaded, Problem } from "../ui/states.tsx";
import { useAct, useSession, useWork } from "../use-session.ts";

const idOf = ({ id }: Customer) => id;

export function CustomersPage() {
  const { queries } = useSession();
  const query = useQuery(queries.customers);
  const [words, setWords] = useState("");
  const [edited, edit] = useState<Customer | null>(null);
  const flash = useFlash(query.data, idOf);
  const customers = useMemo(() => sorted(query.data ?? []), [query.data]);
  const found = search(customers, words);
  return (
    <>
      <PageHead title="Customers" hint="The ERP has them: a change goes there first.">
        <input
          type="search"
          aria-label="Search customers"
          placeholder="Search"
          value={words}
          onChange={(event) => setWords(event.target.value)}
        />
      </PageHead>
      <Loaded query={query}>
        {(all) =>
          found.shown.length ? (
            <>
              <Table customers={found.shown} flash={flash} edit={edit} />
              <p className="quiet-text table-foot">{extent(found.count, all.length)}</p>
            </>
          ) : (
            <Empty icon="users" title={all.length ? "No customer is called so" : "No customers"}>
              <p>{all.length ? "Try fewer letters." : "A sync of the customers fetches them from the ERP."}</p>
            </Empty>
          )
        }
      </Loaded>
      {edited && <CustomerForm customer={edited} onClose={() => edit(null)} />}
    </>
  );
}

interface TableProps {
  customers: readonly Customer[];
  flash: ReadonlySet<string>;
  edit(customer: Customer): void;
}

function Table({ customers, flash, edit }: TableProps) {
  return (
    <table className="table">
      <caption className="sr">Customers</caption>
      <thead>
        <tr>
          <th>Customer</th>
          <th className="wide">City</th>
          <th className="wide">E-mail</th>
          <th className="wide">Changed</th>
          <th className="actions">
            <span className="sr">Actions</span>
          </th>
        </tr>
      </thead>
      <tbody>
        {customers.map((customer) => (
          <CustomerRow
            key={customer.id}
            customer={customer}
            flash={flash.has(customer.id)}
            onEdit={() => edit(customer)}
          />
        ))}
      </tbody>
    </table>
  );
}

function CustomerRow({ customer, flash, onEdit }: { customer: Customer; flash: boolean; onEdit(): void }) {
  const { api, queries } = useSession();
  const { id, name, city, email, updatedAt } = customer;
  // No event says that an update has begun but those of its job.
  const { data: begun } = useQuery({
    ...queries.jobs,
    select: (jobs) => jobs.find((job) => job.type === "updateCustomer" && job.entityId === id && isActive(job))?.id,
  });
  const work = useWork(begun ?? customer.jobId, "CUSTOMER_UPDATE_PROGRESS", `customer:${id}`);
  const cancel = useAct((job: string) => api.cancelJob(job));
  return (
    <tr className={flash ? "flash" : ""} data-testid="customer-row" data-id={id}>
      <td className="main-cell">
        <strong>{name}</strong>
        <span className="narrow">{[city, email].filter(Boolean).join(" · ")}</span>
        {work && <Bar label={work.label} value={work.value} />}
      </td>
      <td className="wide">{city}</td>
      <td className="wide">{email}</td>
      <td className="wide">
        <Time at={updatedAt} />
      </td>
      <td className="actions">
        {work ? (
          <IconButton
            kind="quiet"
            icon="cancel"
            label="Cancel"
            busy={cancel.isPending}
            onClick={() => cancel.mutate(work.jobId)}
          />
        ) : (
          <IconButton kind="quiet" icon="edit" label="Edit" onClick={onEdit} />
        )}
      </td>
    </tr>
  );
}

function CustomerForm({ customer, onClose }: { customer: Customer; onClose(): void }) {
  const session = useSession();
  const { id, name, city, email } = customer;
  const [input, setInput] = useState<CustomerInput>({ name, city, email });
  const update = useAct(
    (changed: CustomerInput) => session.api.updateCustomer(id, changed),
    ({ jobId }) => {
      customerLocked(session, customer, jobId);
      accepted(session, jobId, { type: "updateCustomer", entityId: id, entityName: name });
      onClose();
    },
    { quiet: true },
  );
  const set = (change: Partial<CustomerInput>) => setInput({ ...input, ...change });
  return (
    <Dialog title={`Update ${name}`} onClose={onClose}>
      <form
        className="form"
        onSubmit={(event) => {
          event.preventDefault();
          update.mutate(input);
        }}
      >
        <Field label="Name" hint="With #slow, #flaky, #fail or #hang in it the ERP behaves accordingly.">
          <input value={input.name} maxLength={100} required onChange={(event) => set({ name: event.target.value })} />
        </Field>
        <Field label="City">
          <input value={input.city} maxLength={100} onChange={(event) => set({ city: event.target.value })} />
        </Field>
        <Field label="E-mail">
          <input
            type="email"
            value={input.email}
            maxLength={100}
            onChange={(event) => set({ email: event.target.value })}
          />
        </Field>
        {update.error && <Problem error={update.error} />}
        <footer className="dialog-foot">
          <Button onClick={onClose}>Cancel</Button>
          <Button kind="primary" type="submit" busy={update.isPending}>
            Update in the ERP
          </Button>
        </footer>
      </form>
    </Dialog>
  );
}
