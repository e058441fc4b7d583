import { useState } from "react";
import type { HistoryInput } from "../api.ts";
import { refetch } from "../cache.ts";
import { inventRows, maxImport, parseCsv } from "../history-csv.ts";
import { Button } from "../ui/button.tsx";
import { Dialog } from "../ui/dialog.tsx";
import { Field } from "../ui/field.tsx";
import { count, plural } from "../ui/format.tsx";
import { Problem } from "../ui/states.tsx";
import { useToasts } from "../ui/toasts.tsx";
import { useAct, useSession } from "../use-session.ts";

const invented = 500;
const shownErrors = 3;

export function HistoryImport({ onClose }: { onClose(): void }) {
  const { api, cache } = useSession();
  const { show } = useToasts();
  const [text, setText] = useState("");
  const { rows, errors } = parseCsv(text);
  const send = useAct(
    (records: HistoryInput[]) => api.importHistory(records),
    (answer) => {
      show("good", `${plural(answer.count, "record")} imported`);
      refetch(cache, cache.getQueryCache().findAll({ queryKey: ["history"] }));
      onClose();
    },
    { quiet: true },
  );
  return (
    <Dialog title="Import records" onClose={onClose}>
      <form
        className="form"
        onSubmit={(event) => {
          event.preventDefault();
          send.mutate(rows);
        }}
      >
        <Field label="CSV" hint={`Customer, article, quantity, revenue in euros; at most ${count(maxImport)} lines.`}>
          <textarea
            rows={7}
            className="code"
            spellCheck={false}
            placeholder={"Caffè Centrale;Espresso beans;12;148.80\nHotel Miramare;Napkins;400;36"}
            value={text}
            onChange={(event) => setText(event.target.value)}
          />
        </Field>
        {errors.length > 0 && (
          <ul className="csv-errors" role="alert">
            {errors.slice(0, shownErrors).map((error) => (
              <li key={error}>{error}</li>
            ))}
            {errors.length > shownErrors && <li>{`and ${errors.length - shownErrors} more`}</li>}
          </ul>
        )}
        {send.error && <Problem error={send.error} />}
        <footer className="dialog-foot">
          <Button busy={send.isPending} onClick={() => send.mutate(inventRows(invented))}>
            {`Import ${invented} invented records`}
          </Button>
          <Button kind="primary" type="submit" busy={send.isPending} disabled={!rows.length || errors.length > 0}>
            {rows.length ? `Import ${plural(rows.length, "record")}` : "Import"}
          </Button>
        </footer>
      </form>
    </Dialog>
  );
}
