/** The tables and columns of a database as the rows of a tree, narrowed by what is typed. */
import type { SchemaColumn, SchemaTable } from "../websocket/wire.gen";
import { written, writtenTable, type Dialect } from "./names";

/** How many rows are shown at most; a filter brings up the others. */
export const ROWS_MAX = 1_000;

export interface TableRow {
  kind: "table";
  key: string;
  table: SchemaTable;
  isOpen: boolean;
}

export interface ColumnRow {
  kind: "column";
  key: string;
  /** The row of its table. */
  tableKey: string;
  column: SchemaColumn;
}

export type SchemaRow = TableRow | ColumnRow;

/**
 * All rows that can be seen; a table with a column that fits is open, and shows only such columns.
 */
export function rowsOf(
  tables: readonly SchemaTable[],
  filter: string,
  opened: ReadonlySet<string>,
): SchemaRow[] {
  const wanted = filter.trim().toLowerCase();
  const rows: SchemaRow[] = [];
  for (const table of tables) {
    rows.push(...rowsOfTable(table, wanted, opened));
    if (rows.length > ROWS_MAX) break;
  }
  return rows.slice(0, ROWS_MAX + 1);
}

function rowsOfTable(table: SchemaTable, wanted: string, opened: ReadonlySet<string>): SchemaRow[] {
  const key = JSON.stringify([table.schema ?? null, table.name]);
  const isMeant = fullName(table).toLowerCase().includes(wanted);
  const fitting =
    wanted === "" ? [] : table.columns.filter(({ name }) => name.toLowerCase().includes(wanted));
  if (!isMeant && fitting.length === 0) return [];
  const columns = opened.has(key) ? table.columns : fitting;
  return [
    { kind: "table", key, table, isOpen: columns.length > 0 },
    ...columns.map((column): ColumnRow => ({
      kind: "column",
      key: JSON.stringify([table.schema ?? null, table.name, column.name]),
      tableKey: key,
      column,
    })),
  ];
}

/** A table as a list names it, with its schema if it has one. */
export function fullName({ schema, name }: SchemaTable): string {
  return schema === undefined ? name : `${schema}.${name}`;
}

/** What a row puts into a statement. */
export function statementName(row: SchemaRow, dialect: Dialect): string {
  return row.kind === "table"
    ? writtenTable(row.table, dialect)
    : written(row.column.name, dialect);
}
