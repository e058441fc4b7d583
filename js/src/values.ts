import type { Frame } from "./types.ts";

/** A page that asks by keys shows few of them at once. The hub itself keeps 64 a user. */
const maxKeyed = 256;

/** The newest frame of each type, and of each type and key. */
export interface Values {
  get(type: string, key: string | undefined): Frame | undefined;
  set(frame: Frame): void;
  /** Forgets a scope's values. */
  drop(scope: string | undefined): void;
  /** The values of class "latest", in the order in which they came. */
  latest(): Frame[];
  clear(): void;
}

export function createValues(): Values {
  const byType = new Map<string, Frame>();
  const byKey = new Map<string, Frame>();
  const forget = (which: (frame: Frame) => boolean) => {
    for (const map of [byType, byKey]) for (const [name, frame] of map) if (which(frame)) map.delete(name);
  };
  // No type contains a space.
  const name = (type: string, key: string) => `${type} ${key}`;
  return {
    get: (type, key) => (key === undefined ? byType.get(type) : byKey.get(name(type, key))),
    set(frame) {
      const { type, key, scope } = frame;
      if (key !== undefined) {
        // As in the hub: a buffered event ends the value of its key.
        if (!frame.class) forget((old) => old.class === "latest" && old.key === key && old.scope === scope);
        byKey.delete(name(type, key)); // a Map keeps the order of insertion
        byKey.set(name(type, key), frame);
        if (byKey.size > maxKeyed) byKey.delete(byKey.keys().next().value as string);
      }
      byType.set(type, frame);
    },
    drop: (scope) => forget((old) => old.scope === scope),
    latest: () => [...byKey.values()].filter((frame) => frame.class === "latest"),
    clear: () => forget(() => true),
  };
}
