import {
  useCallback,
  useEffect,
  useId,
  useRef,
  useState,
  type KeyboardEvent,
  type ReactNode,
} from "react";

/** More actions behind a button; a click elsewhere, Esc and scrolling close it. */
export function Menu({ label, children }: { label: string; children: ReactNode }) {
  const id = useId();
  const button = useRef<HTMLButtonElement>(null);
  const menu = useRef<HTMLDivElement>(null);
  const [isOpen, setOpen] = useState(false);

  const close = useCallback(() => {
    menu.current?.hidePopover?.();
    setOpen(false);
  }, []);
  const open = () => {
    if (menu.current === null || button.current === null) return;
    menu.current.showPopover?.();
    placeBy(menu.current, button.current);
    setOpen(true);
    menu.current.querySelector("button")?.focus({ preventScroll: true });
  };
  useEffect(() => {
    if (!isOpen) return undefined;
    const onScroll = (event: Event) => {
      if (event.target !== menu.current) close();
    };
    document.addEventListener("scroll", onScroll, { capture: true, passive: true });
    return () => document.removeEventListener("scroll", onScroll, { capture: true });
  }, [isOpen, close]);
  const onKeyDown = (event: KeyboardEvent) => {
    const step = event.key === "ArrowDown" ? 1 : event.key === "ArrowUp" ? -1 : 0;
    if (event.key === "Escape") {
      close();
      button.current?.focus();
    } else if (step !== 0) {
      focusNext(menu.current, step);
      event.preventDefault();
    } else if (event.key !== "Tab") {
      return;
    }
    event.stopPropagation();
  };
  return (
    <>
      <button
        ref={button}
        type="button"
        aria-label={label}
        aria-expanded={isOpen}
        aria-controls={id}
        onClick={() => (isOpen ? close() : open())}
      >
        ⋯
      </button>
      {/* It listens to its buttons; they have the focus. */}
      {/* oxlint-disable-next-line jsx-a11y/no-noninteractive-element-interactions, jsx-a11y/click-events-have-key-events */}
      <div
        ref={menu}
        id={id}
        popover="auto"
        className="answer-menu"
        role="group"
        aria-label={label}
        onToggle={(event) => setOpen(event.newState === "open")}
        onKeyDown={onKeyDown}
        onClick={(event) => {
          if ((event.target as Element).closest("button") !== null) close();
        }}
      >
        {children}
      </div>
    </>
  );
}

/** Below the button, or above it if there is more room there; inside the window. */
function placeBy(menu: HTMLElement, button: HTMLElement): void {
  const at = button.getBoundingClientRect();
  const { offsetWidth: width, offsetHeight: height } = menu;
  const isBelow = at.bottom + height + 8 <= innerHeight || at.top < height;
  menu.style.top = `${isBelow ? at.bottom + 4 : at.top - height - 4}px`;
  menu.style.left = `${Math.max(8, Math.min(at.left, innerWidth - width - 8))}px`;
}

function focusNext(menu: HTMLElement | null, step: number): void {
  const items = [...(menu?.querySelectorAll("button") ?? [])];
  const now = items.findIndex((item) => item === document.activeElement);
  items[(now + step + items.length) % items.length]?.focus();
}
