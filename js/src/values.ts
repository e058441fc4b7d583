import type { Frame } from "./types.ts";

/** More than any page shows at once, so that a long day of jobs does not fill the memory. */
const maxValues = 1_000;

/** The newest frame of each type, and of each type and key. */
export interface Values {
  get(type: string, key?: string): Frame | undefined;
  set(frame: Frame): void;
  /** Forgets a scope's values. */
  drop(scope?: string): void;
  /** The values of class "latest", in the order in which they came. */
  latest(): Frame[];
}

export function createValues(): Values {
  // By "TYPE" and by "TYPE key": no type contains a space. A Map keeps the order of insertion.
  const frames = new Map<string, Frame>();
  const put = (name: string, frame: Frame) => {
    frames.delete(name);
    frames.set(name, frame);
    if (frames.size > maxValues) frames.delete(frames.keys().next().value as string);
  };
  const forget = (which: (frame: Frame) => boolean) => {
    for (const [name, frame] of frames) if (which(frame)) frames.delete(name);
  };
  return {
    get: (type, key) => frames.get(key === undefined ? type : `${type} ${key}`),
    set(frame) {
      const { type, key, scope } = frame;
      if (key !== undefined) {
        // As in the hub: a buffered event ends the value of its key.
        if (!frame.class) forget((old) => old.class === "latest" && old.key === key && old.scope === scope);
        put(`${type} ${key}`, frame);
      }
      put(type, frame);
    },
    drop: (scope) => forget((old) => old.scope === scope),
    latest: () => [...new Set(frames.values())].filter((frame) => frame.class === "latest"),
  };
}
