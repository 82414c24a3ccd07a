/**
 * The order of an answer's rows by one of its columns. NULL stands last in both directions, equal
 * values keep the order in which they came, numbers are compared by all of their digits.
 */
import type { Cell, Row } from "../websocket/types";
import { compareNumbers, isNumeric } from "./decimals";
import type { ColumnKind } from "./kinds";
import { compareInstants, instantOf, type Instant } from "./times";
import { wholeText } from "./values";

export interface Sort {
  column: number;
  direction: "ascending" | "descending";
}

/** What follows a click on the head of a column: ascending, descending, then as it came. */
export function nextSort(sort: Sort | undefined, column: number): Sort | undefined {
  if (sort?.column !== column) return { column, direction: "ascending" };
  return sort.direction === "ascending" ? { column, direction: "descending" } : undefined;
}

/**
 * The numbers of the rows in this order; undefined if they stay in the order in which they came.
 */
export function sortedOrder(
  rows: readonly Row[],
  sort: Sort | undefined,
  kind: ColumnKind | undefined,
): readonly number[] | undefined {
  if (sort === undefined) return undefined;
  const keys = rows.map((row) => keyOf(row[sort.column], kind));
  const sign = sort.direction === "ascending" ? 1 : -1;
  return rows
    .map((_, index) => index)
    .toSorted((a, b) => compareKeys(keys[a] as Key, keys[b] as Key, sign));
}

/** A value, made ready for comparing. Kinds stand in the order of their ranks. */
type Key =
  | { rank: 0; number: number | string }
  | { rank: 1; instant: Instant }
  | { rank: 2; text: string }
  | { rank: 3; flag: number }
  | { rank: 4; digits: string }
  | { rank: 5 };

// In the reader's own language, and with the numbers in it counted: "part 9" before "part 10".
const COLLATOR = new Intl.Collator(undefined, { numeric: true });

function keyOf(cell: Cell | undefined, kind: ColumnKind | undefined): Key {
  if (cell === null || cell === undefined) return { rank: 5 };
  if (typeof cell === "number") return { rank: 0, number: cell };
  if (typeof cell === "boolean") return { rank: 3, flag: Number(cell) };
  if (typeof cell !== "string") return { rank: 4, digits: wholeText(cell) };
  if (kind === "number" && isNumeric(cell)) return { rank: 0, number: cell };
  const instant = kind === "time" ? instantOf(cell) : undefined;
  return instant === undefined ? { rank: 2, text: cell } : { rank: 1, instant };
}

function compareKeys(a: Key, b: Key, sign: number): number {
  if (a.rank === 5 || b.rank === 5) return Number(a.rank === 5) - Number(b.rank === 5);
  return sign * compareSame(a, b);
}

function compareSame(a: Key, b: Key): number {
  if (a.rank === 0 && b.rank === 0) return compareNumbers(a.number, b.number);
  if (a.rank === 1 && b.rank === 1) return compareInstants(a.instant, b.instant);
  if (a.rank === 2 && b.rank === 2) return COLLATOR.compare(a.text, b.text);
  if (a.rank === 3 && b.rank === 3) return a.flag - b.flag;
  if (a.rank === 4 && b.rank === 4) return a.digits < b.digits ? -1 : Number(a.digits > b.digits);
  return a.rank - b.rank;
}
