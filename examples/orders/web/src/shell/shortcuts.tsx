import { useEffect } from "react";
import { go, routes } from "../routes.ts";
import { toggleTheme } from "../theme.ts";
import { Dialog } from "../ui/dialog.tsx";
import type { Layer } from "./shell.tsx";

/** What a page hears when N is pressed. */
export const newEvent = "orders:new";

const keys = [
  ...routes.map(({ title }, i) => ({ key: String(i + 1), what: title })),
  { key: "N", what: "New order, or new record in the history" },
  { key: "J", what: "Jobs" },
  { key: "B", what: "Notifications" },
  { key: "T", what: "Light or dark" },
  { key: "?", what: "This list" },
  { key: "Esc", what: "Close what is open" },
];

/** Single keys, as long as nobody is typing and nothing is open. */
export function useShortcuts(open: (layer: Layer) => void) {
  useEffect(() => {
    const press = (event: KeyboardEvent) => {
      if (event.ctrlKey || event.metaKey || event.altKey || event.repeat || event.defaultPrevented) return;
      const target = event.target instanceof Element ? event.target : null;
      if (target?.closest("input:not([type=checkbox]), textarea, select, [contenteditable]")) return;
      if (document.querySelector("dialog[open]")) return;
      if (act(event.key.toLowerCase(), open)) event.preventDefault();
    };
    addEventListener("keydown", press);
    return () => removeEventListener("keydown", press);
  }, [open]);
}

/** Returns whether the key means something. */
function act(key: string, open: (layer: Layer) => void): boolean {
  const route = routes[Number(key) - 1];
  if (route) go(route.path);
  else if (key === "n") dispatchEvent(new CustomEvent(newEvent));
  else if (key === "j") open("jobs");
  else if (key === "b") open("notifications");
  else if (key === "t") toggleTheme();
  else if (key === "?") open("help");
  else return false;
  return true;
}

/** Calls fn when N is pressed. */
export function useNewKey(fn: () => void) {
  useEffect(() => {
    addEventListener(newEvent, fn);
    return () => removeEventListener(newEvent, fn);
  }, [fn]);
}

export function ShortcutHelp({ onClose }: { onClose(): void }) {
  return (
    <Dialog title="Keyboard shortcuts" onClose={onClose}>
      <dl className="keys">
        {keys.map(({ key, what }) => (
          <div key={key}>
            <dt>
              <kbd>{key}</kbd>
            </dt>
            <dd>{what}</dd>
          </div>
        ))}
      </dl>
    </Dialog>
  );
}
