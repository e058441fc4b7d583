import { createContext, type ReactNode, use, useCallback, useMemo, useState } from "react";
import { ApiError } from "../api.ts";
import { IconButton } from "./button.tsx";
import { Icon } from "./icons.tsx";

type Tone = "good" | "news" | "bad";

interface Toast {
  id: number;
  tone: Tone;
  title: string;
  body: string;
}

interface Toasts {
  show(tone: Tone, title: string, body?: string): void;
  /** Says what the server said. */
  fail(error: unknown): void;
}

const shownMs = { good: 5_000, news: 6_000, bad: 10_000 };
/** More would cover the page. The oldest goes. */
const max = 4;

const context = createContext<Toasts>({ show: () => {}, fail: () => {} });

export const useToasts = () => use(context);

export function ToastProvider({ children }: { children: ReactNode }) {
  const [toasts, set] = useState<readonly Toast[]>([]);
  const drop = useCallback((id: number) => set((old) => old.filter((toast) => toast.id !== id)), []);
  const value = useMemo<Toasts>(() => {
    let ids = 0;
    const show = (tone: Tone, title: string, body = "") => {
      const id = ++ids;
      set((old) => [...old, { id, tone, title, body }].slice(-max));
      setTimeout(drop, shownMs[tone], id);
    };
    const fail = (error: unknown) =>
      show("bad", error instanceof Error ? error.message : String(error), error instanceof ApiError ? error.fix : "");
    return { show, fail };
  }, [drop]);
  return (
    <context.Provider value={value}>
      {children}
      <section className="toasts" aria-label="Messages" aria-live="polite">
        {toasts.map(({ id, tone, title, body }) => (
          <div key={id} className={`toast ${tone}`} data-testid="toast">
            <Icon name={tone === "good" ? "check" : tone === "bad" ? "warn" : "bell"} />
            <p>
              <strong>{title}</strong>
              {body && <span>{body}</span>}
            </p>
            <IconButton kind="quiet" icon="close" label="Dismiss" onClick={() => drop(id)} />
          </div>
        ))}
      </section>
    </context.Provider>
  );
}
