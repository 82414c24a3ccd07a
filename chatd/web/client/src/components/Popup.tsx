import { useEffect, useLayoutEffect, useRef, type ReactNode } from "react";

/** Between the popup and what it belongs to. Unit: px. */
const GAP = 4;

/**
 * Lies above its parent, or below it if there is more room there: over everything, so that no panel
 * and no edge of a list cuts it off.
 */
export function Popup({ children }: { children: ReactNode }) {
  const popup = useRef<HTMLDivElement>(null);

  useEffect(() => {
    const place = () => placed(popup.current);
    addEventListener("resize", place);
    return () => removeEventListener("resize", place);
  }, []);

  useLayoutEffect(() => {
    const element = popup.current;
    // Older browsers leave it where it is, which is right wherever nothing cuts it off.
    if (element === null || !("showPopover" in element)) return undefined;
    element.showPopover();
    return () => element.hidePopover();
  }, []);

  // At each render: the box grows with what is written, and the list with what fits.
  useLayoutEffect(() => placed(popup.current));

  return (
    <div className="composer-popup" popover="manual" ref={popup}>
      {children}
    </div>
  );
}

function placed(element: HTMLElement | null): void {
  const anchor = element?.parentElement?.getBoundingClientRect();
  if (element === null || anchor === undefined) return;
  const { style, offsetHeight } = element;
  const isAbove = anchor.top >= Math.min(offsetHeight + GAP, innerHeight - anchor.bottom);
  style.insetInlineStart = "auto";
  style.left = `${anchor.left}px`;
  style.maxWidth = `${anchor.width}px`;
  style.top = isAbove ? "auto" : `${anchor.bottom + GAP}px`;
  style.bottom = isAbove ? `${innerHeight - anchor.top + GAP}px` : "auto";
}
