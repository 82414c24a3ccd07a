import { useEffect, useState, type ComponentType, type RefObject } from "react";
import { flushSync } from "react-dom";
import type { Field, FieldProps } from "../composer/field";
import { whenIdle } from "../whenIdle";

/** How long to wait for a quiet moment, at most. Unit: ms. */
const IDLE_MS = 2_000;

/**
 * The editor that takes the place of the textarea, once there is one: it is loaded in a quiet
 * moment, where there is a mouse, and taken while the box is empty and no input method is at work.
 * Where it cannot be loaded, as offline or from a page of before an upgrade, the textarea stays.
 */
export function useEditor(
  field: RefObject<Field | null>,
  isEmpty: boolean,
): ComponentType<FieldProps> | undefined {
  const [loaded, setLoaded] = useState<ComponentType<FieldProps>>();
  const [taken, setTaken] = useState<ComponentType<FieldProps>>();

  useEffect(() => {
    if (!isFit()) return undefined;
    let isGone = false;
    const stop = whenIdle(() => {
      import("../components/SqlEditor").then(
        ({ SqlEditor }) => isGone || setLoaded(() => SqlEditor),
        () => {},
      );
    }, IDLE_MS);
    return () => {
      isGone = true;
      stop();
    };
  }, []);

  useEffect(() => {
    if (loaded === undefined || taken !== undefined || !isEmpty) return undefined;
    return whenIdle(() => {
      const box = field.current;
      if (box === null || box.text() !== "" || box.isComposing()) return;
      const hadFocus = box.hasFocus();
      // In one go, so that no key falls between the two.
      flushSync(() => setTaken(() => loaded));
      if (hadFocus) field.current?.focus();
    }, IDLE_MS);
  }, [field, isEmpty, loaded, taken]);

  return taken;
}

/** A phone's keyboard works best with a textarea; a list has to be told to who cannot see it. */
function isFit(): boolean {
  return (
    globalThis.matchMedia?.("(pointer: fine)").matches === true &&
    "ariaActiveDescendantElement" in Element.prototype
  );
}
