/**
 * Calls fn when the world may have changed under a socket: the page is shown again, the
 * computer has woken up, the network has come or gone. dial: it is worth an attempt now.
 * Returns what stops it. Where there is no page (Node), it never calls.
 */
export function onWake(fn: (dial: boolean) => void): () => void {
  const wake = ({ type }: Event) => {
    if (type !== "visibilitychange" || !document.hidden) fn(type !== "offline");
  };
  const listen = (change: "addEventListener" | "removeEventListener") => {
    // Captured, for not all of the document's events bubble. A worker has the last two.
    for (const type of ["visibilitychange", "resume", "pageshow", "online", "offline"])
      globalThis[change]?.(type, wake, true);
  };
  listen("addEventListener");
  return () => listen("removeEventListener");
}
