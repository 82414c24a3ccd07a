/**
 * How wide the columns of an answer are. They are told by the first rows and stay so: a table whose
 * widths followed the rows in view would shake while it is scrolled, and while rows come.
 */
import type { AnswerColumn, Row } from "../websocket/types";
import type { ColumnKind } from "./kinds";
import { shownCell } from "./values";

/** How wide the signs of a type are, on average. Unit: px. */
export interface TypeWidths {
  narrow: number;
  normal: number;
  wide: number;
  digit: number;
  capital: number;
  /** How wide a short text is where it is bold; exact, where it can be measured. */
  bold(text: string): number;
}

/** A wide type of 13 px, for as long as the reader's own is not measured. */
export const USUAL_TYPE: TypeWidths = {
  narrow: 4.4,
  normal: 7.9,
  wide: 11.6,
  digit: 8.3,
  capital: 9.1,
  bold: (text) => textPx(text) * 1.12,
};

/** Both sides of a cell and its line. Unit: px. */
const PADDING_PX = 21;
/** Beside the name of a column: the sign of its order. Unit: px. */
const SORT_PX = 17;
const WIDTH_MIN_PX = 56;
/** Of a column among many, and of one among few; numbers are shown whole. Unit: px. */
const WIDTH_MAX_PX = 320;
const WIDTH_MAX_OF_FEW_PX = 560;
const FEW_COLUMNS = 3;
/** The name alone makes no column wider. Unit: px. */
const NAME_MAX_PX = 200;
/** Of a name, characters that are looked at. */
const NAME_CHARS = 60;
/** A text may be wider than its signs are on average. */
const SLACK = 1.05;
/** Rows that are looked at. */
const ROWS_LOOKED = 200;
/** Values in all that are looked at, so that a thousand columns cost no more than ten. */
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
      width = Math.max(width, textPx(shownCell(rows[Math.floor(at * apart)]?.[index]).text, type));
    }
    return Math.round(Math.min(max, Math.max(WIDTH_MIN_PX, width * SLACK + PADDING_PX)));
  });
}

/** Whether a text, as it is shown, has room in a column. */
export function fits(text: string, widthPx: number, type: TypeWidths = USUAL_TYPE): boolean {
  return textPx(text, type) + PADDING_PX <= widthPx + 1;
}

/** About how wide a text is. Unit: px. */
export function textPx(text: string, type: TypeWidths = USUAL_TYPE): number {
  let width = 0;
  for (const char of text) width += charPx(char, type);
  return width;
}

/** Measure a type, by what gives the width of a text in it. */
export function measuredType(measure: (text: string, isBold: boolean) => number): TypeWidths {
  const average = (text: string) => measure(text, false) / text.length;
  const widths = {
    narrow: average("fijlrt I.,:;|"),
    normal: average("abcdeghknopqsuvxyz_-+="),
    wide: average("mwMW@%"),
    digit: average("0123456789"),
    capital: average("ABCDEFGHJKLNOPQRSTUVXYZ"),
  };
  const isSound = Object.values(widths).every((width) => width > 0 && width < 100);
  return isSound ? { ...widths, bold: (text) => measure(text, true) } : USUAL_TYPE;
}

const NARROW = new Set("fijlrtI.,:;|!'`\"()[]{}/ ");
const WIDE = new Set("mwMW@%…⏎");

function charPx(char: string, type: TypeWidths): number {
  const code = char.codePointAt(0) ?? 0;
  if (code >= 0x30 && code <= 0x39) return type.digit;
  if (NARROW.has(char)) return type.narrow;
  if (WIDE.has(char)) return type.wide;
  if (code >= 0x41 && code <= 0x5a) return type.capital;
  return isWide(code) ? 2 * type.digit : type.normal;
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
