/**
 * Whether a table can be drawn, and how: by a `{mark, encoding}` that is a strict subset of
 * Vega-Lite, with the numbers of columns as its fields. If a server sends a chart one day, it is
 * read by the same rules and drawn by the same component.
 */
import type { AnswerColumn, Cell, Row } from "../websocket/types";
import { isDecimal } from "./decimals";
import { kindsOf, type ColumnKind } from "./kinds";
import { instantOf } from "./times";
import { beginning, oneLine, shownCell } from "./values";

export type Mark = "bar" | "line";
export type ScaleType = "nominal" | "ordinal" | "temporal" | "quantitative";

export interface Channel {
  /** The number of a column, from 0. */
  field: number;
  type: ScaleType;
}

/** Bars lie if `x` has the values and `y` the labels; else they stand. */
export interface ChartSpec {
  mark: Mark;
  encoding: { x: Channel; y: Channel };
}

/** What a reader has chosen among what can be drawn. */
export interface ChartChoice {
  mark?: Mark;
  label?: number;
  value?: number;
}

/** How a table is drawn, and the columns that can be chosen. */
export interface ChartPlan {
  spec: ChartSpec;
  labels: readonly number[];
  values: readonly number[];
}

export interface ChartPoint {
  label: string;
  /** Where it is drawn. */
  value: number;
  /** The value exactly as it was sent. */
  shown: string;
  /** Where it stands in time, if the labels are times. Unit: ms since 1970. */
  at?: number;
}

export interface ChartData {
  points: readonly ChartPoint[];
  /** Rows without a value, and rows whose value or time cannot be drawn. */
  empty: number;
  odd: number;
}

/** How many rows can be drawn: one alone shows nothing, more cannot be told apart. */
export const CHART_ROWS_MIN = 2;
export const CHART_ROWS_MAX = 500;
/** Up to so many are bars; more numbers or times are a line. */
export const BARS_MAX = 30;
/** For a table with more columns, nobody could say what to draw. */
const COLUMNS_MAX = 20;
/** Bars stand if they are few and their labels short; else they lie. */
const STANDING_MAX = 12;
const STANDING_CHARS_MAX = 10;
const LABEL_CHARS = 80;
/** JavaScript cannot calculate with a number beyond this. */
const DRAWN_MAX = 1e300;

/** How a table is drawn; undefined if it cannot be. A choice that cannot be drawn is ignored. */
export function chartPlan(
  columns: readonly AnswerColumn[],
  rows: readonly Row[],
  choice: ChartChoice = {},
): ChartPlan | undefined {
  if (rows.length < CHART_ROWS_MIN || rows.length > CHART_ROWS_MAX) return undefined;
  if (columns.length < 2 || columns.length > COLUMNS_MAX) return undefined;
  const kinds = kindsOf(columns, rows);
  const numbers = indexesOf(kinds, (kind) => kind === "number");
  const labels = indexesOf(kinds, (kind) => kind !== "bytes" && kind !== "empty");
  const label = chosen(choice.label, labels) ?? firstLabel(kinds, labels);
  const values = numbers.filter((index) => index !== label && isShown(index, rows));
  const value = chosen(choice.value, values) ?? firstValue(columns, values);
  if (label === undefined || value === undefined) return undefined;
  const type = scaleOf(kinds[label]);
  const mark = choice.mark ?? markFor(type, rows.length);
  return { spec: specOf(mark, { field: label, type }, value, rows), labels, values };
}

/** The points of a chart, and how many rows have none. Times stand in their order. */
export function chartData(spec: ChartSpec, rows: readonly Row[]): ChartData {
  const { label, value } = channelsOf(spec);
  const points: ChartPoint[] = [];
  let [empty, odd] = [0, 0];
  for (const row of rows.slice(0, CHART_ROWS_MAX)) {
    const cell = row[value.field];
    const at = label.type === "temporal" ? timeOf(row[label.field]) : undefined;
    const number = numberOf(cell);
    if (cell === null || cell === undefined) empty += 1;
    else if (number === undefined || (label.type === "temporal" && at === undefined)) odd += 1;
    else points.push(pointOf(row[label.field], number, shownCell(cell).text, at));
  }
  if (label.type === "temporal") points.sort((a, b) => (a.at ?? 0) - (b.at ?? 0));
  return { points, empty, odd };
}

/** Which channel has the labels, and which the values. */
export function channelsOf(spec: ChartSpec): { label: Channel; value: Channel; lies: boolean } {
  const { x, y } = spec.encoding;
  const lies = x.type === "quantitative" && y.type !== "quantitative";
  return lies ? { label: y, value: x, lies } : { label: x, value: y, lies };
}

/**
 * A chart as a server or a file may describe it, if it asks only for what is drawn here; else
 * undefined. Unknown keys are refused too: what they ask for would be missing in the picture.
 */
export function readChartSpec(spec: unknown, columnCount: number): ChartSpec | undefined {
  if (!isPlain(spec, ["mark", "encoding"])) return undefined;
  const { mark, encoding } = spec;
  if (mark !== "bar" && mark !== "line") return undefined;
  if (!isPlain(encoding, ["x", "y"])) return undefined;
  const x = readChannel(encoding["x"], columnCount);
  const y = readChannel(encoding["y"], columnCount);
  if (x === undefined || y === undefined || x.field === y.field) return undefined;
  const values = [x, y].filter((channel) => channel.type === "quantitative");
  if (values.length !== 1 || (mark === "line" && y.type !== "quantitative")) return undefined;
  return { mark, encoding: { x, y } };
}

const SCALES: ReadonlySet<unknown> = new Set<ScaleType>([
  "nominal",
  "ordinal",
  "temporal",
  "quantitative",
]);

function readChannel(channel: unknown, columnCount: number): Channel | undefined {
  if (!isPlain(channel, ["field", "type"])) return undefined;
  const { field, type } = channel;
  if (!Number.isInteger(field) || (field as number) < 0 || (field as number) >= columnCount) {
    return undefined;
  }
  return SCALES.has(type) ? { field: field as number, type: type as ScaleType } : undefined;
}

function isPlain(value: unknown, keys: readonly string[]): value is Record<string, unknown> {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return false;
  const own = Object.keys(value);
  return own.length === keys.length && keys.every((key) => Object.hasOwn(value, key));
}

/** Whether a column has as many values as a picture needs. */
function isShown(index: number, rows: readonly Row[]): boolean {
  const told = rows.filter((row) => row[index] !== null && row[index] !== undefined);
  return told.length >= CHART_ROWS_MIN;
}

function specOf(mark: Mark, label: Channel, value: number, rows: readonly Row[]): ChartSpec {
  const values: Channel = { field: value, type: "quantitative" };
  const lies = mark === "bar" && label.type !== "temporal" && !canStand(label.field, rows);
  return { mark, encoding: lies ? { x: values, y: label } : { x: label, y: values } };
}

/** Whether the labels have room side by side. */
function canStand(field: number, rows: readonly Row[]): boolean {
  if (rows.length > STANDING_MAX) return false;
  return rows.every((row) => labelOf(row[field]).length <= STANDING_CHARS_MAX);
}

function markFor(type: ScaleType, rowCount: number): Mark {
  if (type === "temporal") return "line";
  return type === "ordinal" && rowCount > BARS_MAX ? "line" : "bar";
}

function scaleOf(kind: ColumnKind | undefined): ScaleType {
  if (kind === "time") return "temporal";
  return kind === "number" ? "ordinal" : "nominal";
}

/**
 * Times and words say more about a value than numbers do; without them the first column labels it.
 */
function firstLabel(kinds: readonly ColumnKind[], labels: readonly number[]): number | undefined {
  const named = labels.find((index) => kinds[index] === "time" || kinds[index] === "text");
  return named ?? labels.find((index) => kinds[index] !== "number") ?? labels[0];
}

/** A number that is not merely the key of a row. */
function firstValue(columns: readonly AnswerColumn[], values: readonly number[]) {
  return values.find((index) => !/(?:^|_)id$/i.test(columns[index]?.name ?? "")) ?? values[0];
}

function indexesOf(kinds: readonly ColumnKind[], is: (kind: ColumnKind) => boolean): number[] {
  return kinds.flatMap((kind, index) => (is(kind) ? [index] : []));
}

function chosen(index: number | undefined, of: readonly number[]): number | undefined {
  return index !== undefined && of.includes(index) ? index : undefined;
}

function numberOf(cell: Cell | undefined): number | undefined {
  const number =
    typeof cell === "string" && isDecimal(cell)
      ? Number(cell)
      : typeof cell === "number"
        ? cell
        : NaN;
  if (Number.isNaN(number) || Math.abs(number) > DRAWN_MAX) return undefined;
  return Math.abs(number) < 1 / DRAWN_MAX ? 0 : number;
}

function timeOf(cell: Cell | undefined): number | undefined {
  return typeof cell === "string" ? instantOf(cell)?.ms : undefined;
}

function pointOf(
  label: Cell | undefined,
  value: number,
  shown: string,
  at: number | undefined,
): ChartPoint {
  return { label: labelOf(label), value, shown, ...(at === undefined ? {} : { at }) };
}

function labelOf(cell: Cell | undefined): string {
  const { text } = shownCell(cell ?? null);
  return oneLine(beginning(text, LABEL_CHARS)) || "(empty)";
}
