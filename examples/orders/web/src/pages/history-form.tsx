import { useState } from "react";
import { accepted, recordDeleted, recordLocked, recordSaved } from "../answers.ts";
import type { HistoryInput } from "../api.ts";
import type { HistoryRecord } from "../events.gen.ts";
import type { Session } from "../session.ts";
import { Button } from "../ui/button.tsx";
import { Dialog } from "../ui/dialog.tsx";
import { Field, MoneyInput, NumberInput } from "../ui/field.tsx";
import { money } from "../ui/format.tsx";
import { Problem } from "../ui/states.tsx";
import { useAct, useSession } from "../use-session.ts";

const about = (record: HistoryRecord) => ({
  entityId: record.id,
  entityName: record.article,
});

interface FormProps {
  /** null: a new one. */
  record: HistoryRecord | null;
  onClose(): void;
}

function inputOf(record: HistoryRecord | null): HistoryInput {
  if (!record) return { customerName: "", article: "", quantity: 1, revenueCents: 10_000 };
  const { customerName, article, quantity, revenueCents } = record;
  return { customerName, article, quantity, revenueCents };
}

export function HistoryForm({ record, onClose }: FormProps) {
  const session = useSession();
  const { api } = session;
  const [input, setInput] = useState(() => inputOf(record));
  const save = useSave(session, record, onClose);
  const inErp = useAct(
    (edited: HistoryInput) => api.editHistoryInErp(record?.id ?? "", edited),
    ({ jobId }) => {
      if (record) {
        recordLocked(session, record, jobId);
        accepted(session, jobId, { type: "editHistory", ...about(record) });
      }
      onClose();
    },
    { quiet: true },
  );
  const error = save.error ?? inErp.error;
  return (
    <Dialog title={record ? "Edit record" : "New record"} onClose={onClose}>
      <form
        className="form"
        onSubmit={(event) => {
          event.preventDefault();
          const { submitter } = event.nativeEvent as SubmitEvent;
          const act = submitter?.getAttribute("value") === "erp" ? inErp : save;
          act.mutate(input);
        }}
      >
        <RecordFields input={input} set={(change) => setInput({ ...input, ...change })} />
        {error && <Problem error={error} />}
        <footer className="dialog-foot">
          <Button onClick={onClose}>Cancel</Button>
          {record && (
            <Button type="submit" value="erp" busy={inErp.isPending}>
              Save in the ERP
            </Button>
          )}
          <Button kind="primary" type="submit" value="here" busy={save.isPending}>
            {record ? "Save" : "Add record"}
          </Button>
        </footer>
      </form>
    </Dialog>
  );
}

function RecordFields({ input, set }: { input: HistoryInput; set(change: Partial<HistoryInput>): void }) {
  return (
    <>
      <Field label="Customer">
        <input
          value={input.customerName}
          maxLength={100}
          required
          onChange={(event) => set({ customerName: event.target.value })}
        />
      </Field>
      <Field label="Article" hint="In the ERP #slow, #flaky, #fail or #hang in it have it behave accordingly.">
        <input
          value={input.article}
          maxLength={100}
          required
          onChange={(event) => set({ article: event.target.value })}
        />
      </Field>
      <div className="pair">
        <Field label="Quantity">
          <NumberInput value={input.quantity} max="10000" onNumber={(quantity) => set({ quantity })} />
        </Field>
        <Field label="Revenue">
          <MoneyInput cents={input.revenueCents} max="1000000000" onCents={(revenueCents) => set({ revenueCents })} />
        </Field>
      </div>
    </>
  );
}

/** Saves a record directly, and shows it where it belongs. */
function useSave(session: Session, record: HistoryRecord | null, onClose: () => void) {
  return useAct(
    (input: HistoryInput) => (record ? session.api.updateHistory(record.id, input) : session.api.createHistory(input)),
    (saved) => {
      onClose();
      return recordSaved(session, saved, !record);
    },
    { quiet: true },
  );
}

export function RemoveRecord({ record, onClose }: { record: HistoryRecord; onClose(): void }) {
  const session = useSession();
  const { api } = session;
  const here = useAct(
    () => api.deleteHistory(record.id),
    () => {
      onClose();
      return recordDeleted(session, record.id);
    },
  );
  const inErp = useAct(
    () => api.deleteHistoryInErp(record.id),
    ({ jobId }) => {
      recordLocked(session, record, jobId);
      accepted(session, jobId, { type: "deleteHistory", ...about(record) });
      onClose();
    },
  );
  return (
    <Dialog title="Delete this record?" onClose={onClose}>
      <p>{`${record.article} for ${record.customerName}, ${money(record.revenueCents)}.`}</p>
      <footer className="dialog-foot">
        <Button onClick={onClose}>Keep</Button>
        <Button kind="danger" busy={inErp.isPending} onClick={() => inErp.mutate(undefined)}>
          Delete in the ERP
        </Button>
        <Button kind="danger" busy={here.isPending} onClick={() => here.mutate(undefined)}>
          Delete
        </Button>
      </footer>
    </Dialog>
  );
}
