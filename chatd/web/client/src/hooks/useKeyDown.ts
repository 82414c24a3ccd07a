import { useEffect, type RefObject } from "react";
import { useLatest } from "./useLatest";

/**
 * Keys of an element, heard on the element itself, so before anything around it: a key that is
 * taken here goes no further.
 */
export function useKeyDown(
  element: RefObject<HTMLElement | null>,
  onKey: (event: KeyboardEvent) => boolean,
): void {
  const latest = useLatest(onKey);
  useEffect(() => {
    const target = element.current;
    function onKeyDown(event: KeyboardEvent) {
      if (isComposed(event)) return;
      if (latest.current(event)) takeKey(event);
    }
    target?.addEventListener("keydown", onKeyDown);
    return () => target?.removeEventListener("keydown", onKeyDown);
  }, [element, latest]);
}

/** Whether a key belongs to an input method. Safari tells so of the last one by its code alone. */
export function isComposed({ isComposing, keyCode }: KeyboardEvent): boolean {
  return isComposing || keyCode === 229;
}

/** Keep everybody else from acting on a key. */
export function takeKey(event: KeyboardEvent): void {
  event.preventDefault();
  event.stopPropagation();
}
