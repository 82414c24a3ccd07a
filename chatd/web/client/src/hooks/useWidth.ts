/** How wide an element is, while it is shown. */
import { useLayoutEffect, useState, type RefObject } from "react";

/** The width in px; until it is known, `before`. */
export function useWidth(element: RefObject<HTMLElement | null>, before: number): number {
  const [width, setWidth] = useState(before);
  useLayoutEffect(() => {
    const shown = element.current;
    if (shown === null) return undefined;
    const look = () => {
      if (shown.clientWidth > 0) setWidth(shown.clientWidth);
    };
    look();
    const observer = new ResizeObserver(look);
    observer.observe(shown);
    return () => observer.disconnect();
  }, [element]);
  return width;
}
