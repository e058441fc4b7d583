import { type ReactNode, useId, useLayoutEffect, useRef } from "react";
import { Button, IconButton } from "./button.tsx";

interface DialogProps {
  title: string;
  onClose(): void;
  children: ReactNode;
  /** A drawer comes from the side, and a click beside it closes it: there is nothing in it that could be lost. */
  kind?: "dialog" | "drawer";
}

/** The browser's own dialog: it keeps the focus, is closed by Escape, and gives the focus back. */
export function Dialog({ title, onClose, children, kind = "dialog" }: DialogProps) {
  const ref = useRef<HTMLDialogElement>(null);
  const heading = useId();
  useLayoutEffect(() => {
    const dialog = ref.current;
    dialog?.showModal();
    return () => dialog?.close(); // before it leaves the document, or the focus would not go back
  }, []);
  return (
    // biome-ignore lint/a11y/useKeyWithClickEvents: by the keyboard it is closed with Escape
    <dialog
      ref={ref}
      className={kind}
      aria-labelledby={heading}
      onCancel={(event) => {
        if (event.target !== event.currentTarget) return; // a file chooser's
        event.preventDefault();
        onClose();
      }}
      onClick={(event) => {
        if (kind === "drawer" && event.target === event.currentTarget) onClose();
      }}
    >
      <div className="dialog-body">
        <header className="dialog-head">
          <h2 id={heading}>{title}</h2>
          <IconButton kind="quiet" icon="close" label="Close" onClick={onClose} />
        </header>
        {children}
      </div>
    </dialog>
  );
}

interface ConfirmProps {
  title: string;
  children: ReactNode;
  /** What the button says that does it. */
  action: string;
  busy?: boolean;
  onConfirm(): void;
  onClose(): void;
}

export function Confirm({ title, children, action, busy = false, onConfirm, onClose }: ConfirmProps) {
  return (
    <Dialog title={title} onClose={onClose}>
      {children}
      <footer className="dialog-foot">
        <Button onClick={onClose}>Keep</Button>
        <Button kind="danger" busy={busy} onClick={onConfirm}>
          {action}
        </Button>
      </footer>
    </Dialog>
  );
}
