import { useEffect, useRef, useState } from "react";
import type { Row } from "../rows.ts";

const flashMs = 1_600;

/**
 * Which rows have just come or changed, so that the eye finds what another device did.
 * Those of a list that is shown for the first time have not: scope names the list.
 */
export function useFlash<T extends Row>(
  rows: readonly T[] | undefined,
  id: (row: T) => string,
  scope: unknown = "",
): Set<string> {
  const seen = useRef<{ scope: unknown; at: Map<string, string> } | null>(null);
  const [lit, light] = useState<ReadonlyMap<string, number>>(new Map());
  useEffect(() => {
    if (!rows) return;
    const before = seen.current;
    seen.current = { scope, at: new Map(rows.map((row) => [id(row), row.updatedAt])) };
    if (!before || before.scope !== scope) return;
    const changed = rows.filter((row) => before.at.get(id(row)) !== row.updatedAt).map(id);
    if (!changed.length) return;
    const until = Date.now() + flashMs;
    light((old) => new Map([...old, ...changed.map((one) => [one, until] as const)]));
  }, [rows, id, scope]);
  useEffect(() => {
    if (!lit.size) return;
    const timer = setTimeout(
      () => light((old) => new Map([...old].filter(([, until]) => until > Date.now()))),
      flashMs + 50,
    );
    return () => clearTimeout(timer);
  }, [lit]);
  return new Set(lit.keys());
}
