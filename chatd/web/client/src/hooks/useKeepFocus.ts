/** Keeps the focus in a part of the page when the element that had it goes away. */
import { useLayoutEffect, useRef, type RefObject } from "react";

/**
 * Give the focus to an element when a child that had the focus is taken off the page, such as a
 * stop button when there is nothing left to stop. Put the handlers on the element.
 */
export function useKeepFocus(element: RefObject<HTMLElement | null>) {
  const hadFocus = useRef(false);
  useLayoutEffect(() => {
    if (!hadFocus.current || element.current === null) return;
    const { activeElement, body } = document;
    if (activeElement === null || activeElement === body) {
      element.current.focus({ preventScroll: true });
    }
  });
  return {
    onFocus() {
      hadFocus.current = true;
    },
    onBlur() {
      // A user who goes elsewhere is left alone. An element that is removed sends no blur.
      hadFocus.current = false;
    },
  };
}
