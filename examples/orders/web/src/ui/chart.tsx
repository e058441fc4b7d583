import { useId } from "react";

interface ChartProps {
  title: string;
  unit: string;
  /** The newest last. null: not known at that time, and a hole in the line. */
  values: readonly (number | null)[];
  /** How many there is room for. */
  room: number;
}

const width = 300;
const height = 72;

/** A line over the last minutes. Its scale begins at zero and grows with what it shows. */
export function Chart({ title, unit, values, room }: ChartProps) {
  const heading = useId();
  const known = values.filter((value) => value !== null);
  const now = values.at(-1) ?? null;
  const max = Math.max(1, ...known);
  const x = (i: number) => width - ((values.length - 1 - i) / (room - 1)) * width;
  const y = (value: number) => height - 4 - (value / max) * (height - 12);
  const lines = stretches(values).map((part) => part.map(([i, value]) => `${x(i).toFixed(1)},${y(value).toFixed(1)}`));
  return (
    <figure className="chart" aria-labelledby={heading}>
      <figcaption id={heading}>
        <span>{title}</span>
        <strong>{now === null ? "–" : `${figure(now)} ${unit}`}</strong>
      </figcaption>
      <svg viewBox={`0 0 ${width} ${height}`} preserveAspectRatio="none" aria-hidden="true">
        <line className="chart-base" x1="0" x2={width} y1={height - 4} y2={height - 4} />
        {lines.map((points) => (
          <g key={points[0]}>
            <polygon
              className="chart-area"
              points={`${points[0]?.split(",")[0]},${height - 4} ${points.join(" ")} ${points.at(-1)?.split(",")[0]},${height - 4}`}
            />
            <polyline className="chart-line" points={points.join(" ")} />
          </g>
        ))}
      </svg>
      <div className="chart-scale">
        <span>highest {figure(Math.max(0, ...known))}</span>
        <span>now</span>
      </div>
    </figure>
  );
}

const figure = (value: number) => value.toLocaleString("en-GB", { maximumFractionDigits: value < 10 ? 1 : 0 });

/** The parts of the line between its holes. */
function stretches(values: readonly (number | null)[]): [number, number][][] {
  const parts: [number, number][][] = [[]];
  values.forEach((value, i) => {
    if (value === null) parts.push([]);
    else parts.at(-1)?.push([i, value]);
  });
  return parts.filter((part) => part.length > 0);
}
