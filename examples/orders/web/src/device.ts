const name = "orders:device";

function random(): string {
  return [...crypto.getRandomValues(new Uint8Array(12))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

/**
 * Names this tab, over its reloads. Browsers copy the session storage of a tab that is
 * duplicated, and the hub would then keep the changes of one from the other: so a name
 * is used only by the tab that holds its lock. Where there are no locks (they need HTTPS
 * or localhost), each load of the page has a name of its own.
 */
export async function deviceId(): Promise<string> {
  const kept = sessionStorage.getItem(name);
  const id = kept && (await hold(kept)) ? kept : random();
  if (id !== kept) {
    await hold(id);
    sessionStorage.setItem(name, id);
  }
  return id;
}

/** Takes the lock for as long as the page lives. Returns false if another tab has it. */
function hold(id: string): Promise<boolean> {
  if (!navigator.locks) return Promise.resolve(false);
  return new Promise((resolve) => {
    navigator.locks.request(`${name}:${id}`, { ifAvailable: true }, (lock) => {
      resolve(lock !== null);
      return lock ? new Promise(() => {}) : undefined;
    });
  });
}
