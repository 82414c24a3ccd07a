/**
 * What a column holds: by the database's word for its type if that tells it, else by its values.
 * The kind decides on which side values stand, how they are sorted, and whether they can be drawn.
 */
import type { AnswerColumn, Cell, Row } from "../websocket/types";
import { isDecimal, isNumeric } from "./decimals";
import { instantOf } from "./times";
import { isBytes } from "./values";

/** `mixed`: values of several kinds; `empty`: nothing but NULL. */
export type ColumnKind =
  "number" | "boolean" | "time" | "bytes" | "json" | "text" | "mixed" | "empty";

/** Values of a column that are looked at, NULL not counted. */
export const KIND_SAMPLE = 50;
/** Rows that are searched for these values. */
const ROWS_SEARCHED = 1_000;

const NUMBER_TYPE =
  /^(?:unsigned\s+)?(?:(?:tiny|small|medium|big\s?)?(?:int|integer)|int[248]|(?:small|big)?serial[248]?|real|float[48]?|double|dec|decimal|numeric|number|fixed|oid|year)\b(?!.*\[\])/i;
const TEXT_TYPE =
  /char|clob|text|string|name|uuid|enum|bit|inet|cidr|macaddr|xml|interval|money|range/i;
const TIME_TYPE = /^(?:date|datetime|timestamp|timestamptz)/i;
const JSON_TYPE = /^jsonb?$/i;
const BOOLEAN_TYPE = /^bool(?:ean)?$/i;
const BYTES_TYPE = /blob|bytea|binary/i;

/** What each column holds, by its type and the first `rowCount` rows. */
export function kindsOf(
  columns: readonly AnswerColumn[],
  rows: readonly Row[],
  rowCount = rows.length,
): ColumnKind[] {
  return columns.map((column, index) => kindOf(column.type, sampleOf(rows, index, rowCount)));
}

/** What a column of this type with these values holds. */
export function kindOf(type: string | null | undefined, values: readonly Cell[]): ColumnKind {
  const declared = declaredKind(type ?? "");
  if (values.length === 0) return declared ?? "empty";
  if (values.every((value) => typeof value === "number")) return "number";
  if (values.every((value) => typeof value === "boolean")) return "boolean";
  if (values.every(isBytes)) return "bytes";
  if (values.every((value) => typeof value === "string")) return kindOfTexts(declared, values);
  const isNumbers = values.every(
    (value) => typeof value === "number" || (typeof value === "string" && isNumeric(value)),
  );
  return isNumbers && declared !== "text" ? "number" : "mixed";
}

/** On which side the values of a column stand. */
export function isRightAligned(kind: ColumnKind | undefined): boolean {
  return kind === "number";
}

/** The first values of a column that are not NULL. */
export function sampleOf(rows: readonly Row[], index: number, rowCount = rows.length): Cell[] {
  const sample: Cell[] = [];
  const end = Math.min(rowCount, ROWS_SEARCHED);
  for (let at = 0; at < end && sample.length < KIND_SAMPLE; at++) {
    const value = rows[at]?.[index];
    if (value !== null && value !== undefined) sample.push(value);
  }
  return sample;
}

function declaredKind(type: string): ColumnKind | undefined {
  if (NUMBER_TYPE.test(type)) return "number";
  if (BOOLEAN_TYPE.test(type)) return "boolean";
  if (TIME_TYPE.test(type)) return "time";
  if (JSON_TYPE.test(type)) return "json";
  if (BYTES_TYPE.test(type)) return "bytes";
  return TEXT_TYPE.test(type) ? "text" : undefined;
}

function kindOfTexts(declared: ColumnKind | undefined, values: readonly string[]): ColumnKind {
  if (declared === "number" && values.every(isNumeric)) return "number";
  if (declared === "json") return "json";
  if (values.every((value) => instantOf(value) !== undefined)) return "time";
  return declared === undefined && isNumbersAsText(values) ? "number" : "text";
}

/**
 * Whether texts of an unknown type are decimals or long numbers, which travel as text. A short row
 * of digits alone is a text: it would have come as a number, and may be a postcode.
 */
function isNumbersAsText(values: readonly string[]): boolean {
  const isPlain = values.every((value) => isDecimal(value) && !/^[+-]?0\d/.test(value));
  return isPlain && values.some((value) => value.includes(".") || value.length > 15);
}
