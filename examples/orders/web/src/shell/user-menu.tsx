import { useEffect, useId, useRef, useState } from "react";
import { logout } from "../session.ts";
import { setTheme, type Theme, useTheme } from "../theme.ts";
import { Button } from "../ui/button.tsx";
import { useAct, useSession } from "../use-session.ts";
import type { Layer } from "./shell.tsx";

const themes: readonly { theme: Theme; name: string }[] = [
  { theme: "system", name: "System" },
  { theme: "light", name: "Light" },
  { theme: "dark", name: "Dark" },
];

export function UserMenu({ open }: { open(layer: Layer): void }) {
  const { user } = useSession();
  const [shown, show] = useState(false);
  const panel = useId();
  const ref = useRef<HTMLDivElement>(null);
  useEffect(() => {
    if (!shown) return;
    const outside = (event: Event) => {
      if (event.target instanceof Node && !ref.current?.contains(event.target)) show(false);
    };
    const onKey = (event: KeyboardEvent) => {
      if (event.key !== "Escape") return;
      show(false);
      ref.current?.querySelector("button")?.focus();
    };
    addEventListener("pointerdown", outside);
    addEventListener("focusin", outside);
    addEventListener("keydown", onKey);
    return () => {
      removeEventListener("pointerdown", outside);
      removeEventListener("focusin", outside);
      removeEventListener("keydown", onKey);
    };
  }, [shown]);
  return (
    <div className="user-menu" ref={ref}>
      <button
        type="button"
        className="button quiet user-button"
        aria-expanded={shown}
        aria-controls={panel}
        aria-label={`Account of ${user}`}
        onClick={() => show(!shown)}
      >
        <span className="avatar" aria-hidden="true">
          {user.slice(0, 1).toUpperCase()}
        </span>
        <span className="user-name">{user}</span>
      </button>
      {shown && <Panel id={panel} open={open} done={() => show(false)} />}
    </div>
  );
}

function Panel({ id, open, done }: { id: string; open(layer: Layer): void; done(): void }) {
  const session = useSession();
  const theme = useTheme();
  const out = useAct(() => logout(session));
  return (
    <div className="menu-panel" id={id}>
      <p className="menu-user">
        Logged in as <strong>{session.user}</strong>
      </p>
      <fieldset className="segments">
        <legend>Theme</legend>
        {themes.map(({ theme: value, name }) => (
          <label key={value}>
            <input type="radio" name="theme" checked={theme === value} onChange={() => setTheme(value)} />
            <span>{name}</span>
          </label>
        ))}
      </fieldset>
      <Button
        kind="quiet"
        icon="keyboard"
        onClick={() => {
          done();
          open("help");
        }}
      >
        Keyboard shortcuts
      </Button>
      <Button kind="quiet" icon="logout" busy={out.isPending} onClick={() => out.mutate(undefined)}>
        Log out
      </Button>
    </div>
  );
}
