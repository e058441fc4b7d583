/**
 * Calls fn when the world may have changed under a socket: the page is shown again, the
 * computer has woken up, the network has come or gone. dial: it is worth an attempt now.
 * Returns what stops it. Where there is no page (Node), it never calls.
 */
export function onWake(fn: (dial: boolean) => void): () => void {
  const page = globalThis.document as Document | undefined;
  const wake = (event: Event) => {
    if (event.type !== "visibilitychange" || page?.visibilityState === "visible") fn(event.type !== "offline");
  };
  const listen = (change: "addEventListener" | "removeEventListener") => {
    for (const type of ["visibilitychange", "resume"]) page?.[change](type, wake);
    // In a worker these two are the worker's; it has no pageshow.
    for (const type of ["pageshow", "online", "offline"]) globalThis[change]?.(type, wake);
  };
  listen("addEventListener");
  return () => listen("removeEventListener");
}
