/** A box to write in: the textarea, or the editor that takes its place. */
import type { Ref } from "react";
import type { Dialect } from "./names";

export interface Selection {
  from: number;
  to: number;
}

/** What can be done with a box. The box holds its text; whoever wants another text sets it here. */
export interface Field {
  text(): string;
  selection(): Selection;
  /** Replace all of it; the cursor stands at its end, unless told otherwise. */
  setText(text: string): void;
  /** Replace a part, as if it were typed: it can be undone. The cursor stands after it. */
  replace(from: number, to: number, insert: string): void;
  focus(): void;
  hasFocus(): boolean;
  /** Whether an input method is choosing letters. */
  isComposing(): boolean;
}

export interface Change {
  text: string;
  /** Undefined while something is selected. */
  cursor: number | undefined;
  /** Whether the user has typed it, and not `setText` or `replace`. */
  isTyped: boolean;
}

export interface FieldProps {
  ref: Ref<Field>;
  /** What it holds: at first, and then as `onChange` has reported. */
  text: string;
  label: string;
  placeholder: string;
  isSql: boolean;
  dialect: Dialect;
  /** The list of completions: its id, and the id of the option that is picked while it is open. */
  listId: string;
  pickedId: string | undefined;
  /** The id of what is wrong with the text. */
  problemId: string | undefined;
  onChange(change: Change): void;
  /** The cursor was moved, and the text is as it was. */
  onMove(): void;
  /** A key was pressed; returns whether it was taken, so that the box must ignore it. */
  onKey(event: KeyboardEvent): boolean;
  onFocus(): void;
  onBlur(): void;
}

/** Longer texts are not coloured, so that no text makes a key slow. Unit: UTF-16 code units. */
export const COLOURED_MAX = 20_000;
