import type { ReactNode } from "react";
import { ApiError } from "../api.ts";
import { Button } from "./button.tsx";
import { Icon, type IconName } from "./icons.tsx";

/** What went wrong and what to do about it, in the server's words. */
export function Problem({ error }: { error: unknown }) {
  const { fix } = error instanceof ApiError ? error : {};
  return (
    <div className="problem" role="alert">
      <Icon name="warn" />
      <p>
        <strong>{error instanceof Error ? error.message : String(error)}</strong>
        {fix && <span>{fix}</span>}
      </p>
    </div>
  );
}

/** A list that could not be fetched. */
export function Failure({ error, again }: { error: unknown; again(): void }) {
  return (
    <div className="failure">
      <Problem error={error} />
      <Button icon="retry" onClick={again}>
        Try again
      </Button>
    </div>
  );
}

export function Empty({ icon, title, children }: { icon: IconName; title: string; children?: ReactNode }) {
  return (
    <div className="empty">
      <Icon name={icon} />
      <h3>{title}</h3>
      {children}
    </div>
  );
}

/** Rows that are on their way. */
export function Loading({ rows = 6 }: { rows?: number }) {
  return (
    <div className="loading" role="status" aria-label="Loading">
      {Array.from({ length: rows }, (_, i) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: they are all the same
        <div key={i} className="skeleton" />
      ))}
    </div>
  );
}

interface ListProps<T> {
  query: { data: T | undefined; error: unknown; refetch(): unknown };
  children: (data: T) => ReactNode;
}

/** What a list looks like before it is there, and if it does not come. */
export function Loaded<T>({ query, children }: ListProps<T>) {
  if (query.data !== undefined) return children(query.data);
  if (query.error) return <Failure error={query.error} again={() => query.refetch()} />;
  return <Loading />;
}
