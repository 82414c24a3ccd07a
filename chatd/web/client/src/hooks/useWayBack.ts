/**
 * Returns the focus after the part that took it is closed: it goes back to what opened that part.
 */
import { useLayoutEffect, useState } from "react";
import { useLatest } from "./useLatest";

/**
 * Call it in a component that opens over or beside the rest. When that goes away with the focus in
 * it, the focus returns to where it was: to the button, else to its message, else to its part of
 * the page.
 *
 * @param shown what the component shows: when it shows another thing, what opened that is noted in
 *   turn
 */
export function useWayBack(shown = ""): void {
  // During the first render of a component nothing in it can have the focus yet.
  const [noted, note] = useState(() => ({ shown, way: wayHere() }));
  if (noted.shown !== shown) note({ shown, way: isWithin() ? noted.way : wayHere() });
  const latest = useLatest(noted.way);
  useLayoutEffect(
    () => () => {
      const { activeElement } = document;
      // Not at once: the next step takes the element with the focus off the page.
      queueMicrotask(() => {
        if (isLeft(activeElement)) back(latest.current);
      });
    },
    [latest],
  );
}

/** Whether the focus is in the panel itself, as on a link from one thing in it to another. */
function isWithin(): boolean {
  return document.activeElement?.closest('[data-region="panel"]') != null;
}

interface Way {
  element: Element | undefined;
  messageId: string | undefined;
  region: string | undefined;
}

function wayHere(): Way {
  const element =
    typeof document === "undefined" ? undefined : (document.activeElement ?? undefined);
  return {
    element,
    messageId: element?.closest<HTMLElement>("[data-message-id]")?.dataset["messageId"],
    region: element?.closest<HTMLElement>("[data-region]")?.dataset["region"],
  };
}

/** Whether what had the focus is gone, and nothing else has it. */
function isLeft(before: Element | null): boolean {
  const { activeElement, body } = document;
  return before?.isConnected !== true && (activeElement === null || activeElement === body);
}

function back({ element, messageId, region }: Way): void {
  const within = region === undefined ? "" : `[data-region="${region}"] `;
  const places = [
    element,
    messageId && document.querySelector(`${within}[data-message-id="${CSS.escape(messageId)}"]`),
    region && document.querySelector(`${within}[data-focus-first]`),
  ];
  for (const place of places) {
    if (!(place instanceof HTMLElement) || !place.isConnected) continue;
    place.focus();
    if (document.activeElement === place) return;
  }
}
