/** What a key does in the box: the same in the textarea and in the editor. */

export interface KeyPress {
  key: string;
  shift: boolean;
  ctrl: boolean;
  /** The command key of a Mac, whose Ctrl is free. */
  meta: boolean;
  alt: boolean;
  /** An input method has it, and is choosing letters: the key is not ours. */
  isComposing: boolean;
}

export interface KeySituation {
  /** Whether a list of completions is open, and whether Enter takes the picked one. */
  list: { takesEnter: boolean } | undefined;
  isEmpty: boolean;
  /** The box holds a recalled message, untouched, with the cursor at its end. */
  isRecalling: boolean;
}

export type KeyAction =
  | "send"
  | "accept"
  | "next"
  | "previous"
  | "close"
  | "complete"
  | "older"
  | "newer"
  | "restore"
  | "search";

/** What to do; undefined leaves the key to the box. */
export function keyAction(press: KeyPress, now: KeySituation): KeyAction | undefined {
  if (press.isComposing) return undefined;
  if (press.ctrl || press.meta) return withControl(press);
  if (press.alt || press.shift) return undefined;
  return (
    (now.list === undefined ? undefined : inList(press.key, now.list)) ?? plain(press.key, now)
  );
}

function withControl({ key, shift, alt, meta }: KeyPress): KeyAction | undefined {
  if (alt || shift) return undefined;
  if (key === "Enter") return "send";
  // With command these are the browser's: reload, and the search of the system.
  if (meta) return undefined;
  if (key === " ") return "complete";
  return key.toLowerCase() === "r" ? "search" : undefined;
}

function inList(key: string, list: { takesEnter: boolean }): KeyAction | undefined {
  switch (key) {
    case "ArrowDown":
      return "next";
    case "ArrowUp":
      return "previous";
    case "Tab":
      return "accept";
    case "Enter":
      return list.takesEnter ? "accept" : undefined;
    case "Escape":
      return "close";
    default:
      return undefined;
  }
}

function plain(key: string, now: KeySituation): KeyAction | undefined {
  switch (key) {
    case "Enter":
      return "send";
    case "ArrowUp":
      return now.isEmpty || now.isRecalling ? "older" : undefined;
    case "ArrowDown":
      return now.isRecalling ? "newer" : undefined;
    case "Escape":
      return now.isRecalling ? "restore" : undefined;
    default:
      return undefined;
  }
}

/** A key of the DOM. Some browsers end a composition with a key whose code is 229. */
export function pressOf(event: KeyboardEvent): KeyPress {
  return {
    key: event.key,
    shift: event.shiftKey,
    ctrl: event.ctrlKey,
    meta: event.metaKey,
    alt: event.altKey,
    isComposing: event.isComposing || event.keyCode === 229,
  };
}
