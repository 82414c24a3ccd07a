import { useLayoutEffect, useRef, useState, type FormEvent, type RefObject } from "react";
import { useKeyDown } from "../hooks/useKeyDown";
import { OFFERED, reactionOf } from "../messages/emoji";
import { MessageIcon } from "./MessageIcon";

/** How many emoji one row of the picker has; the styles have the same number. */
const IN_ROW = 6;

/** A button that offers some reactions, and accepts any other. */
export function ReactionPicker({ react }: { react(emoji: string): void }) {
  const [isOpen, setOpen] = useState(false);
  const button = useRef<HTMLButtonElement>(null);
  function close() {
    setOpen(false);
    button.current?.focus();
  }
  return (
    <>
      <button
        type="button"
        ref={button}
        aria-label="React"
        title="React"
        aria-haspopup="dialog"
        aria-expanded={isOpen}
        onClick={() => setOpen(!isOpen)}
      >
        <MessageIcon name="react" />
      </button>
      {isOpen && (
        <Popup
          anchor={button}
          close={close}
          hidden={() => setOpen(false)}
          react={(emoji) => {
            react(emoji);
            close();
          }}
        />
      )}
    </>
  );
}

interface PopupProps {
  anchor: RefObject<HTMLButtonElement | null>;
  close(): void;
  /** The browser has hidden it: the focus is elsewhere by now. */
  hidden(): void;
  react(emoji: string): void;
}

function Popup({ anchor, close, hidden, react }: PopupProps) {
  const popup = useRef<HTMLDivElement>(null);
  const [typed, setTyped] = useState("");
  useLayoutEffect(() => {
    const element = popup.current;
    if (element === null) return;
    // In the top layer, where the list cannot cut it off.
    element.showPopover?.();
    placeBeside(element, anchor.current);
    element.querySelector("button")?.focus();
  }, [anchor]);

  useKeyDown(popup, (event) => {
    if (event.key !== "Escape") return moveFocus(event.key, popup.current);
    close();
    return true;
  });

  function send(event: FormEvent) {
    event.preventDefault();
    const emoji = reactionOf(typed);
    if (emoji !== undefined) react(emoji);
  }

  return (
    <div
      ref={popup}
      popover="auto"
      role="dialog"
      aria-label="Reactions"
      className="reaction-picker"
      onToggle={(event) => {
        if (event.newState === "closed") hidden();
      }}
    >
      <div className="reaction-grid">
        {OFFERED.map(([emoji, words]) => (
          <button
            key={emoji}
            type="button"
            aria-label={words}
            title={words}
            onClick={() => react(emoji)}
          >
            {emoji}
          </button>
        ))}
      </div>
      <form className="reaction-other" onSubmit={send}>
        <input
          value={typed}
          aria-label="Another emoji"
          placeholder="Another emoji"
          onChange={(event) => setTyped(event.target.value)}
        />
        <button type="submit" className="plain" disabled={reactionOf(typed) === undefined}>
          Add
        </button>
      </form>
    </div>
  );
}

/** Arrows move in the grid, and from its last row into the box below. */
function moveFocus(key: string, popup: HTMLElement | null): boolean {
  const buttons = [...(popup?.querySelectorAll<HTMLElement>(".reaction-grid button") ?? [])];
  const at = buttons.indexOf(document.activeElement as HTMLElement);
  const input = popup?.querySelector<HTMLElement>("input");
  if (at < 0) {
    if (key !== "ArrowUp") return false;
    buttons.at(-1)?.focus();
    return true;
  }
  const steps: Record<string, number> = {
    ArrowLeft: -1,
    ArrowRight: 1,
    ArrowUp: -IN_ROW,
    ArrowDown: IN_ROW,
  };
  const step = Object.hasOwn(steps, key) ? steps[key] : undefined;
  if (step === undefined) return false;
  const next = buttons[at + step];
  if (next !== undefined) next.focus();
  else if (key === "ArrowDown") input?.focus();
  return true;
}

/** Below the button, or above it if there is no room; never outside the window. */
function placeBeside(popup: HTMLElement, anchor: HTMLElement | null): void {
  if (anchor === null) return;
  const button = anchor.getBoundingClientRect();
  const { width, height } = popup.getBoundingClientRect();
  const isBelow = button.bottom + height + 8 < window.innerHeight;
  const left = Math.min(Math.max(8, button.right - width), window.innerWidth - width - 8);
  popup.style.left = `${left}px`;
  popup.style.top = `${isBelow ? button.bottom + 4 : Math.max(8, button.top - height - 4)}px`;
}
