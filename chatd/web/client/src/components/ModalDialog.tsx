import { useEffect, useId, useRef, type ReactNode } from "react";
import { useWayBack } from "../hooks/useWayBack";
import { Icon } from "./Icon";

interface ModalDialogProps {
  title: string;
  close(): void;
  className?: string;
  /** It holds nothing but text: it takes the focus, so that keys can scroll it. */
  isText?: boolean;
  children: ReactNode;
}

/** The browser's own modal dialog: it keeps the focus, and Esc or a click beside it closes it. */
export function ModalDialog({
  title,
  close,
  className = "",
  isText = false,
  children,
}: ModalDialogProps) {
  const dialog = useRef<HTMLDialogElement>(null);
  const heading = useId();
  useWayBack();
  useEffect(() => {
    const element = dialog.current;
    if (element !== null && !element.open) {
      element.showModal();
      // An element that asks for the focus itself has asked in vain: the dialog was not open yet.
      element.querySelector<HTMLElement>("[data-focus-first]")?.focus();
    }
    return () => element?.close();
  }, []);
  return (
    // A click on the backdrop is one on the dialog itself; the keyboard has Esc.
    // oxlint-disable-next-line jsx-a11y/click-events-have-key-events, jsx-a11y/no-noninteractive-element-interactions
    <dialog
      ref={dialog}
      className={`dialog ${className}`}
      aria-labelledby={heading}
      onCancel={(event) => {
        event.preventDefault();
        close();
      }}
      // The browser may close it without asking first.
      onClose={(event) => {
        if (!event.currentTarget.open) close();
      }}
      onClick={(event) => {
        if (event.target === dialog.current) close();
      }}
    >
      <div className="dialog-frame">
        <header className="panel-header">
          <h2 id={heading}>{title}</h2>
          <button type="button" aria-label={`Close ${title}`} onClick={close}>
            <Icon name="close" />
          </button>
        </header>
        <div
          className="panel-content"
          {...(isText ? { tabIndex: 0, role: "group", "aria-labelledby": heading } : {})}
        >
          {children}
        </div>
      </div>
    </dialog>
  );
}
