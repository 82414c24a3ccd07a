import { useSyncExternalStore } from "react";

/** Whether a media query matches; on a server none does. */
export function useMedia(query: string): boolean {
  return useSyncExternalStore(
    (changed) => {
      const list = window.matchMedia(query);
      list.addEventListener("change", changed);
      return () => list.removeEventListener("change", changed);
    },
    () => window.matchMedia(query).matches,
    () => false,
  );
}

/** Below this width there is one column, and rooms and panels are dialogs. */
export const NARROW = "(max-width: 639px)";
/** On devices without mouse and keyboard: the page does not mention keys there. */
export const TOUCH = "(hover: none) and (pointer: coarse)";
/** Without it, a keyboard on the screen covers what is to be read. */
export const FINE_POINTER = "(pointer: fine)";
/** Below this width the panel stands over the messages. */
export const MEDIUM = "(max-width: 999px)";
