import { type ComponentProps, cloneElement, type ReactElement, useId } from "react";

interface FieldProps {
  label: string;
  hint?: string;
  /** The control. */
  children: ReactElement<{ id?: string; "aria-describedby"?: string }>;
}

export function Field({ label, hint, children }: FieldProps) {
  const id = useId();
  const described = hint ? { "aria-describedby": `${id}-hint` } : {};
  return (
    <div className="field">
      <label htmlFor={id}>{label}</label>
      {cloneElement(children, { id, ...described })}
      {hint && <small id={`${id}-hint`}>{hint}</small>}
    </div>
  );
}

interface MoneyProps extends Omit<ComponentProps<"input">, "value" | "onChange"> {
  cents: number;
  onCents(cents: number): void;
}

/** Euros to type, cents to keep. */
export function MoneyInput({ cents, onCents, ...rest }: MoneyProps) {
  return (
    <input
      type="number"
      min="0"
      step="0.01"
      inputMode="decimal"
      required
      value={Number.isNaN(cents) ? "" : cents / 100}
      onChange={(event) => onCents(Math.round(event.target.valueAsNumber * 100))}
      {...rest}
    />
  );
}

interface NumberProps extends Omit<ComponentProps<"input">, "value" | "onChange"> {
  value: number;
  onNumber(value: number): void;
}

export function NumberInput({ value, onNumber, ...rest }: NumberProps) {
  return (
    <input
      type="number"
      min="1"
      max="100000"
      step="1"
      inputMode="numeric"
      required
      value={Number.isNaN(value) ? "" : value}
      onChange={(event) => onNumber(event.target.valueAsNumber)}
      {...rest}
    />
  );
}
