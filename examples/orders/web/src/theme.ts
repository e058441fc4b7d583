import { useSyncExternalStore } from "react";

export type Theme = "system" | "light" | "dark";

const name = "orders:theme"; // assets/theme.js reads it before the first paint
const watchers = new Set<() => void>();

function read(): Theme {
  const { theme } = document.documentElement.dataset;
  return theme === "light" || theme === "dark" ? theme : "system";
}

export function setTheme(theme: Theme) {
  if (theme === "system") {
    delete document.documentElement.dataset.theme;
    localStorage.removeItem(name);
  } else {
    document.documentElement.dataset.theme = theme;
    localStorage.setItem(name, theme);
  }
  for (const fn of watchers) fn();
}

/** Light and dark as the page is drawn now: what a toggle turns round. */
export function toggleTheme() {
  const now = read() === "system" ? (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light") : read();
  setTheme(now === "dark" ? "light" : "dark");
}

export function useTheme(): Theme {
  return useSyncExternalStore((fn) => {
    watchers.add(fn);
    return () => watchers.delete(fn);
  }, read);
}
