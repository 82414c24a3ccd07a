/** The focus of a part of the page, where what had it goes away. */
import { useLayoutEffect, useRef, type RefObject } from "react";

/**
 * Give the focus to an element when the one in it that had the focus is taken off the page, as a
 * button to stop what has ended by itself. Put the handlers on the element.
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
      // Whoever goes elsewhere is left alone. What is taken away leaves without a word.
      hadFocus.current = false;
    },
  };
}
