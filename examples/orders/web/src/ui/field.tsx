import type { ComponentProps, ReactNode } from "react";

interface FieldProps {
  label: string;
  hint?: string;
  children: ReactNode;
}

export function Field({ label, hint, children }: FieldProps) {
  return (
    // biome-ignore lint/a11y/noLabelWithoutControl: the control is among the children
    <label className="field">
      <span>{label}</span>
      {children}
      {hint && <small>{hint}</small>}
    </label>
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
