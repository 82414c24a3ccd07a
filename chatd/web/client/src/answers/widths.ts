/**
 * How wide the columns of an answer are. The first rows decide that, for good: a table whose widths
 * followed the rows in view would shake while it is scrolled, and while rows come.
 */
import type { AnswerColumn, Row } from "../websocket/types";
import type { ColumnKind } from "./kinds";
import { shownCell } from "./values";

/** How wide the characters of a type are; exact, where they can be measured. Unit: px. */
export interface TypeWidths {
  char(char: string): number;
  /** How wide a short text is in bold; exact, if it can be measured. */
  bold(text: string): number;
}

/** A wide type of 13 px, until the reader's own is measured. */
export const USUAL_TYPE: TypeWidths = {
  char: usualPx,
  bold: (text) => textPx(text) * 1.12,
};

/** Both sides of a cell and its line. Unit: px. */
const PADDING_PX = 21;
/** Beside the name of a column: the sign of its order. Unit: px. */
const SORT_PX = 17;
const WIDTH_MIN_PX = 56;
/**
 * The widest that a column among many may be, and one among few; numbers are shown whole. Unit: px.
 */
const WIDTH_MAX_PX = 320;
const WIDTH_MAX_OF_FEW_PX = 560;
const FEW_COLUMNS = 3;
/** The name alone makes no column wider. Unit: px. */
const NAME_MAX_PX = 200;
/** How many characters of a name are looked at. */
const NAME_CHARS = 60;
/** Beside a value that is cut: the button that shows all of it. Unit: px. */
const OPEN_PX = 20;
/** A text may be wider than its characters: they are measured one by one. */
const SLACK = 1.05;
/** Rows that are looked at. */
const ROWS_LOOKED = 200;
/** How many values are looked at in all, so that a thousand columns cost no more than ten. */
const VALUES_MAX = 10_000;

/**
 * The width of each column, in px, by its name and its values: some of the first `rowCount` ones,
 * spread over all of them.
 */
export function widthsOf(
  columns: readonly AnswerColumn[],
  rows: readonly Row[],
  rowCount: number,
  kinds: readonly ColumnKind[],
  type: TypeWidths = USUAL_TYPE,
): number[] {
  const most = columns.length <= FEW_COLUMNS ? WIDTH_MAX_OF_FEW_PX : WIDTH_MAX_PX;
  const looked = Math.min(
    rowCount,
    ROWS_LOOKED,
    Math.ceil(VALUES_MAX / Math.max(1, columns.length)),
  );
  const apart = rowCount / Math.max(1, looked);
  return columns.map((column, index) => {
    const max = kinds[index] === "number" ? WIDTH_MAX_OF_FEW_PX : most;
    let width = Math.min(NAME_MAX_PX, type.bold(column.name.slice(0, NAME_CHARS)) + SORT_PX);
    for (let at = 0; at < looked && width < max; at++) {
      const { text, isCut } = shownCell(rows[Math.floor(at * apart)]?.[index]);
      width = Math.max(width, textPx(text, type) + (isCut ? OPEN_PX : 0));
    }
    return Math.min(max, Math.max(WIDTH_MIN_PX, columnPx(width)));
  });
}

/** Whether a text, as it is shown, has room in a column. */
export function fits(text: string, widthPx: number, type: TypeWidths = USUAL_TYPE): boolean {
  return columnPx(textPx(text, type)) <= widthPx;
}

/** How wide a column has to be for so wide a text. */
function columnPx(width: number): number {
  return Math.ceil(width * SLACK) + PADDING_PX;
}

/** About how wide a text is. Unit: px. */
export function textPx(text: string, type: TypeWidths = USUAL_TYPE): number {
  let width = 0;
  for (const char of text) width += type.char(char);
  return width;
}

/** Measure a type by a function that gives the width of a text in it. */
export function measuredType(measure: (text: string, isBold: boolean) => number): TypeWidths {
  const digit = measure("0", false);
  if (!(digit > 0 && digit < 100)) return USUAL_TYPE;
  // Tables show all digits equally wide.
  const known = new Map(Array.from("0123456789", (char) => [char, digit]));
  const char = (one: string) => {
    const width = known.get(one) ?? measure(one, false);
    known.set(one, width);
    return width;
  };
  return { char, bold: (text) => measure(text, true) };
}

const NARROW = new Set("fijlrtI.,:;|!'`\"()[]{}/ ");
const WIDE = new Set("mwMW@%…⏎");

function usualPx(char: string): number {
  const code = char.codePointAt(0) ?? 0;
  if (code >= 0x30 && code <= 0x39) return 8.3;
  if (NARROW.has(char)) return 4.4;
  if (WIDE.has(char)) return 11.6;
  if (code >= 0x41 && code <= 0x5a) return 9.1;
  return isWide(code) ? 16.6 : 7.9;
}

/** Signs of East Asia, and emoji. */
function isWide(code: number): boolean {
  if (code < 0x1100) return false;
  return (
    code <= 0x115f ||
    (code >= 0x2e80 && code <= 0xa4cf) ||
    (code >= 0xac00 && code <= 0xd7a3) ||
    (code >= 0xf900 && code <= 0xfaff) ||
    (code >= 0xfe30 && code <= 0xfe6f) ||
    (code >= 0xff00 && code <= 0xff60) ||
    code >= 0x1f300
  );
}
