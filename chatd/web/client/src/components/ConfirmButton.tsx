import { useEffect, useRef, useState, type ReactNode } from "react";

interface ConfirmButtonProps {
  /** What the button says at first. */
  children: ReactNode;
  label?: string;
  /** The question that is asked once. */
  question: string;
  confirmed(): void;
}

/** A button that asks once before it does something that cannot be undone. */
export function ConfirmButton({ children, label, question, confirmed }: ConfirmButtonProps) {
  const [isAsking, setAsking] = useState(false);
  const first = useRef<HTMLButtonElement>(null);
  const sure = useRef<HTMLButtonElement>(null);
  const wasAsking = useRef(false);
  useEffect(() => {
    if (isAsking) sure.current?.focus();
    else if (wasAsking.current) first.current?.focus();
    wasAsking.current = isAsking;
  }, [isAsking]);
  if (!isAsking) {
    return (
      <button
        type="button"
        ref={first}
        aria-label={label}
        title={label}
        onClick={() => setAsking(true)}
      >
        {children}
      </button>
    );
  }
  return (
    <span className="confirm" role="group" aria-label={question}>
      <span className="confirm-question">{question}</span>
      <button type="button" className="danger" ref={sure} onClick={confirmed}>
        Delete
      </button>
      <button type="button" className="plain" onClick={() => setAsking(false)}>
        Keep
      </button>
    </span>
  );
}
