/** Long content is shown in part, until somebody asks for the rest. */

/** Longer code and SQL are folded. Unit: lines. */
export const CODE_LINES = 12;
/** The same for running text, which is read more easily. Unit: lines. */
export const TEXT_LINES = 20;
/** A line wraps: text of few lines can be long too. Unit: UTF-16 code units. */
export const TEXT_CHARS = 1_800;

export interface Folded {
  /** What is shown while it is folded. */
  readonly head: string;
  /** How many lines the whole has. */
  readonly lines: number;
  readonly isLong: boolean;
}

/** A text cut so that at most so many lines and characters are shown. */
export function folded(text: string, linesMax: number, charsMax: number): Folded {
  let lines = 1;
  let cut = text.length;
  for (let at = text.indexOf("\n"); at >= 0; at = text.indexOf("\n", at + 1)) {
    if (lines === linesMax) cut = at;
    lines += 1;
  }
  if (cut > charsMax) cut = wholeCharacters(text, charsMax);
  return { head: text.slice(0, cut), lines, isLong: cut < text.length };
}

/** The same place, or the one before it if a cut there would split a character. */
function wholeCharacters(text: string, at: number): number {
  const before = text.charCodeAt(at - 1);
  return before >= 0xd800 && before <= 0xdbff ? at - 1 : at;
}
