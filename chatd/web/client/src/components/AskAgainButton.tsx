import { useEffect, useState } from "react";

/** How long the button waits for the second click. Unit: ms. */
const ASKED_MS = 6_000;

interface AskAgainButtonProps {
  label: string;
  className?: string;
  isDisabled?: boolean;
  /** Whether the question may write: then only a second click asks it. */
  mayWrite: boolean;
  ask(): void;
}

/** Asks a question once more. */
export function AskAgainButton(props: AskAgainButtonProps) {
  const { label, className, isDisabled = false, mayWrite, ask } = props;
  const [isSure, setSure] = useState(false);
  useEffect(() => {
    if (!isSure) return undefined;
    const timer = setTimeout(() => setSure(false), ASKED_MS);
    return () => clearTimeout(timer);
  }, [isSure]);
  const run = () => {
    setSure(mayWrite && !isSure);
    if (!mayWrite || isSure) ask();
  };
  return (
    <button
      type="button"
      className={isSure ? "danger" : className}
      disabled={isDisabled}
      onClick={run}
    >
      {isSure ? `It may write. ${label}?` : label}
    </button>
  );
}
