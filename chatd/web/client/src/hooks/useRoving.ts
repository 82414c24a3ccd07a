import {
  useCallback,
  useLayoutEffect,
  useRef,
  useState,
  type FocusEvent,
  type KeyboardEvent,
  type RefObject,
} from "react";
import type { Scroller } from "./useStretch";

interface RovingOptions {
  readonly ids: readonly string[];
  readonly scroller: RefObject<HTMLDivElement | null>;
  readonly virtualizer: Scroller;
  readonly hasNewer: boolean;
  /** Go to the very end, if the list holds another stretch. */
  toEnd(): void;
}

export interface Roving {
  /** The message that Tab comes to; none until the keyboard or the mouse has been at one. */
  readonly active: string | undefined;
  onKeyDown(event: KeyboardEvent<HTMLElement>): void;
  onFocus(event: FocusEvent<HTMLElement>): void;
  onBlur(event: FocusEvent<HTMLElement>): void;
}

/**
 * One stop for Tab in the whole list; arrows move it. When a row with the focus scrolls away, the
 * list gets the focus, and the next arrow goes on among the rows that are seen.
 */
export function useRoving(options: RovingOptions): Roving {
  const { ids, scroller, virtualizer, hasNewer, toEnd } = options;
  const [active, setActive] = useState<string>();
  const wished = useRef<string | undefined>(undefined);

  useLayoutEffect(() => {
    const row = rowOf(scroller.current, wished.current);
    if (row === null) return;
    wished.current = undefined;
    show(row);
  });

  const moveTo = useCallback(
    (at: number) => {
      const id = ids[Math.min(Math.max(at, 0), ids.length - 1)];
      if (id === undefined) return;
      setActive(id);
      const row = rowOf(scroller.current, id);
      if (row !== null) {
        show(row);
      } else {
        wished.current = id;
        virtualizer.scrollToIndex(ids.indexOf(id), { align: "auto" });
      }
    },
    [ids, scroller, virtualizer],
  );

  const onKeyDown = (event: KeyboardEvent<HTMLElement>) => {
    const target = event.target as HTMLElement;
    if (target !== scroller.current && target.dataset["messageId"] === undefined) return;
    if (event.altKey || event.ctrlKey || event.metaKey || event.shiftKey) return;
    const at = active === undefined ? -1 : ids.indexOf(active);
    const isDrawn =
      at >= 0 && (wished.current === active || rowOf(scroller.current, active) !== null);
    const last = virtualizer.range?.endIndex ?? ids.length - 1;
    switch (event.key) {
      case "ArrowUp":
      case "k":
        moveTo(isDrawn ? at - 1 : last);
        break;
      case "ArrowDown":
      case "j":
        moveTo(isDrawn ? at + 1 : last);
        break;
      case "Home":
        moveTo(0);
        break;
      case "End":
        if (hasNewer) toEnd();
        else moveTo(ids.length - 1);
        break;
      default:
        return;
    }
    event.preventDefault();
  };

  const onFocus = useCallback((event: FocusEvent<HTMLElement>) => {
    const row = (event.target as HTMLElement).closest<HTMLElement>("[data-message-id]");
    if (row?.dataset["messageId"] !== undefined) setActive(row.dataset["messageId"]);
  }, []);

  const onBlur = useCallback(
    (event: FocusEvent<HTMLElement>) => {
      const left = event.target;
      if (event.relatedTarget !== null) return;
      queueMicrotask(() => keepFocus(left, scroller.current));
    },
    [scroller],
  );
  useFocusKept(scroller);
  return { active, onKeyDown, onFocus, onBlur };
}

/**
 * Some browsers send no blur when the element with the focus is removed: look after each render.
 */
function useFocusKept(scroller: RefObject<HTMLDivElement | null>): void {
  const focused = useRef<Element | null>(null);
  useLayoutEffect(() => {
    const element = scroller.current;
    const before = focused.current;
    const now = element?.ownerDocument.activeElement ?? null;
    if (before !== null && !before.isConnected) keepFocus(before, element);
    focused.current = element?.contains(now) === true ? now : null;
  });
  useLayoutEffect(() => {
    const element = scroller.current;
    if (element === null) return;
    const note = (event: Event) => {
      focused.current = event.target as Element;
    };
    element.addEventListener("focusin", note);
    return () => element.removeEventListener("focusin", note);
  }, [scroller]);
}

/** If the element with the focus is gone, the list takes the focus. */
function keepFocus(left: Element, scroller: HTMLElement | null): void {
  const document = scroller?.ownerDocument;
  if (left.isConnected || document?.activeElement !== document?.body) return;
  scroller?.focus({ preventScroll: true });
}

function rowOf(scroller: HTMLElement | null, id: string | undefined): HTMLElement | null {
  if (id === undefined) return null;
  return scroller?.querySelector<HTMLElement>(`[data-message-id="${CSS.escape(id)}"]`) ?? null;
}

function show(row: HTMLElement): void {
  row.focus({ preventScroll: true });
  row.scrollIntoView({ block: "nearest" });
}
