import { useState } from "react";
import { login } from "../session.ts";
import { Button } from "../ui/button.tsx";
import { Field } from "../ui/field.tsx";
import { Problem } from "../ui/states.tsx";

const demo = ["anna", "bruno", "carla"];

export function Login({ note }: { note?: string | undefined }) {
  const [user, setUser] = useState("");
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>();

  async function enter(name: string) {
    setBusy(true);
    setError(undefined);
    try {
      await login(name.trim().toLowerCase());
    } catch (refused) {
      setError(refused);
      setBusy(false);
    }
  }

  return (
    <main className="login">
      <form
        className="login-card"
        onSubmit={(event) => {
          event.preventDefault();
          enter(user);
        }}
      >
        <div className="brand-mark" aria-hidden="true" />
        <h1>Order book</h1>
        <p className="lead">Orders on every device of an agent, the same at every moment.</p>
        {note && (
          <p className="note" role="status">
            {note}
          </p>
        )}
        <Field label="Your name">
          <input
            value={user}
            onChange={(event) => setUser(event.target.value)}
            name="user"
            autoComplete="username"
            autoCapitalize="none"
            spellCheck={false}
            maxLength={32}
            pattern="[A-Za-z0-9\-]{1,32}"
            title="Letters, digits and hyphens, at most 32"
            placeholder="anna"
            required
          />
        </Field>
        {error !== undefined && <Problem error={error} />}
        <Button kind="primary" type="submit" busy={busy}>
          Log in
        </Button>
        <Demo busy={busy} enter={enter} />
      </form>
    </main>
  );
}

function Demo({ busy, enter }: { busy: boolean; enter(name: string): void }) {
  return (
    <>
      <div className="login-demo">
        <span>or as</span>
        {demo.map((name) => (
          <Button key={name} kind="quiet" disabled={busy} onClick={() => enter(name)}>
            {name}
          </Button>
        ))}
      </div>
      <p className="quiet-text">
        This is a demonstration: a name is all it takes, there is no password, and whoever knows a name sees its orders.
        A new name gets an order book with invented data.
      </p>
    </>
  );
}
