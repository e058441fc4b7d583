interface BarProps {
  /** What goes on: the bar's name. */
  label: string;
  /** Percent; absent if it is not known. */
  value?: number | undefined;
  /** It may be further than this. */
  stale?: boolean;
}

export function Bar({ label, value, stale = false }: BarProps) {
  const known =
    value === undefined ? {} : { "aria-valuenow": Math.round(value), "aria-valuetext": `${Math.round(value)} %` };
  return (
    <div className={`bar ${value === undefined ? "endless" : ""} ${stale ? "stale" : ""}`}>
      <div className="bar-track" role="progressbar" aria-label={label} aria-valuemin={0} aria-valuemax={100} {...known}>
        <div className="bar-fill" style={value === undefined ? {} : { width: `${Math.min(100, value)}%` }} />
      </div>
      <div className="bar-text">
        <span>{label}</span>
        {value !== undefined && <span>{Math.round(value)} %</span>}
      </div>
    </div>
  );
}
