import { useSyncExternalStore } from "react";

const euros = new Intl.NumberFormat("en-GB", { style: "currency", currency: "EUR" });
export const money = (cents: number) => euros.format(cents / 100);
export const count = (n: number) => n.toLocaleString("en-GB");
export const plural = (n: number, one: string, many = `${one}s`) => `${count(n)} ${n === 1 ? one : many}`;

/** "about 12 s", "about 3 min". */
export function duration(ms: number): string {
  const seconds = Math.ceil(ms / 1_000);
  return seconds < 90 ? `about ${seconds} s` : `about ${Math.round(seconds / 60)} min`;
}

const relative = new Intl.RelativeTimeFormat("en-GB", { numeric: "auto", style: "short" });

function ago(ms: number): string {
  const seconds = Math.round(ms / 1_000);
  if (seconds < 60) return "just now";
  if (seconds < 3_600) return relative.format(-Math.floor(seconds / 60), "minute");
  if (seconds < 86_400) return relative.format(-Math.floor(seconds / 3_600), "hour");
  return relative.format(-Math.floor(seconds / 86_400), "day");
}

/** The time now, anew every stepMs while the component is mounted. */
export function useNow(stepMs: number): number {
  return useSyncExternalStore(
    (fn) => {
      const timer = setInterval(fn, stepMs);
      return () => clearInterval(timer);
    },
    () => Math.floor(Date.now() / stepMs) * stepMs,
  );
}

/** How long ago something was; the whole date for who rests the pointer on it. */
export function Time({ at }: { at: string }) {
  const now = useNow(30_000);
  const date = new Date(at);
  return (
    <time dateTime={at} title={date.toLocaleString("en-GB")}>
      {ago(Math.max(0, now - date.getTime()))}
    </time>
  );
}
