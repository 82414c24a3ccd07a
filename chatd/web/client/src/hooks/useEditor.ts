import { useEffect, useState, type ComponentType, type RefObject } from "react";
import { flushSync } from "react-dom";
import type { Field, FieldProps } from "../composer/field";
import { whenShown } from "../stores/whenShown";
import { whenIdle } from "../whenIdle";
import { useChat } from "./useChat";

/** How long to wait for a quiet moment, at most. Unit: ms. */
const IDLE_MS = 2_000;

/**
 * The editor that takes the place of the textarea, once there is one: it is loaded in a quiet
 * moment, if there is a mouse, and put in while the box is empty and no input method is at work. If
 * it cannot be loaded, as offline or by a page from before an upgrade, the textarea stays.
 */
export function useEditor(
  field: RefObject<Field | null>,
  isEmpty: boolean,
): ComponentType<FieldProps> | undefined {
  const chat = useChat();
  const [loaded, setLoaded] = useState<ComponentType<FieldProps>>();
  const [taken, setTaken] = useState<ComponentType<FieldProps>>();

  useEffect(() => {
    if (!isFit()) return undefined;
    let isGone = false;
    const stop = whenShown(chat, () => {
      import("../components/SqlEditor").then(
        ({ SqlEditor }) => isGone || setLoaded(() => SqlEditor),
        () => {},
      );
    });
    return () => {
      isGone = true;
      stop();
    };
  }, [chat]);

  useEffect(() => {
    if (loaded === undefined || taken !== undefined || !isEmpty) return undefined;
    return whenIdle(() => {
      const box = field.current;
      if (box === null || box.text() !== "" || box.isComposing()) return;
      const hadFocus = box.hasFocus();
      // In one step, so that no key falls between the two.
      flushSync(() => setTaken(() => loaded));
      if (hadFocus) field.current?.focus();
    }, IDLE_MS);
  }, [field, isEmpty, loaded, taken]);

  return taken;
}

/** A phone's keyboard works best with a textarea; a screen reader has to be told of the list. */
function isFit(): boolean {
  return (
    globalThis.matchMedia?.("(pointer: fine)").matches === true &&
    "ariaActiveDescendantElement" in Element.prototype
  );
}
