import type { ComponentProps } from "react";
import { Icon, type IconName } from "./icons.tsx";

interface ButtonProps extends ComponentProps<"button"> {
  icon?: IconName;
  kind?: "primary" | "danger" | "quiet";
  /** The request is on its way. */
  busy?: boolean;
}

export function Button({ icon, kind, busy, children, className = "", disabled, ...rest }: ButtonProps) {
  return (
    <button
      type="button"
      className={`button ${kind ?? ""} ${className}`}
      disabled={disabled || busy}
      aria-busy={busy || undefined}
      {...rest}
    >
      {icon && <Icon name={icon} />}
      {children}
    </button>
  );
}

interface IconButtonProps extends ButtonProps {
  icon: IconName;
  /** Its name, and what a pointer that rests on it is told. */
  label: string;
}

export function IconButton({ label, className = "", ...rest }: IconButtonProps) {
  return <Button aria-label={label} title={label} className={`icon-only ${className}`} {...rest} />;
}
