/** What a question can be narrowed to: tables and schemas that are known, and those that are typed. */
import type { SchemaTable } from "../websocket/wire.gen";
import { writtenTable, type Dialect } from "./names";
import { OPTIONS_MAX } from "./options";

export interface ContextOption {
  kind: "table" | "schema";
  /** As the context names it. */
  name: string;
  detail: string;
}

/**
 * Those that hold what was typed; at the end the typed name itself, unless one of them is exactly
 * that.
 */
export function contextOptions(
  typed: string,
  tables: readonly SchemaTable[],
  dialect: Dialect,
): ContextOption[] {
  const wanted = typed.trim();
  const known = [...tableOptions(tables, dialect), ...schemaOptions(tables)].filter(({ name }) =>
    name.toLowerCase().includes(wanted.toLowerCase()),
  );
  const isKnown = (kind: string) => known.some((one) => one.kind === kind && one.name === wanted);
  const own = (["table", "schema"] as const)
    .filter((kind) => wanted !== "" && !isKnown(kind))
    .map((kind) => ({ kind, name: wanted, detail: `${kind}, as typed` }));
  return [...known.slice(0, OPTIONS_MAX), ...own];
}

function tableOptions(tables: readonly SchemaTable[], dialect: Dialect): ContextOption[] {
  return tables.map((table) => ({
    kind: "table",
    name: writtenTable(table, dialect),
    detail: table.kind,
  }));
}

function schemaOptions(tables: readonly SchemaTable[]): ContextOption[] {
  const schemas = new Set(tables.flatMap(({ schema }) => schema ?? []));
  return [...schemas].map((name) => ({ kind: "schema", name, detail: "schema" }));
}
