/** How wide the type of an element is, in the reader's own fonts. */
import { useLayoutEffect, useState, type RefObject } from "react";
import { USUAL_TYPE, measuredType, type TypeWidths } from "../answers/widths";

export function useType(element: RefObject<HTMLElement | null>): TypeWidths {
  const [type, setType] = useState(USUAL_TYPE);
  useLayoutEffect(() => {
    const context = document.createElement("canvas").getContext("2d");
    if (element.current === null || context === null) return;
    const { fontSize, fontFamily } = getComputedStyle(element.current);
    const measured = measuredType((text, isBold) => {
      context.font = `${isBold ? 600 : 400} ${fontSize} ${fontFamily}`;
      return context.measureText(text).width;
    });
    // It has to be there before it can be measured.
    // oxlint-disable-next-line react/set-state-in-effect
    setType(measured);
  }, [element]);
  return type;
}
