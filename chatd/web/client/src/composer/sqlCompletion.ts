/** Tables, columns, aliases and words of SQL that fit at the cursor of a statement. */
import type { SchemaColumn, SchemaTable } from "../websocket/wire.gen";
import { OPTIONS_MAX, type Completion, type Option, type Place, type Sources } from "./options";
import type { Stretch } from "./draftedSql";
import { GOING_ON, KEYWORDS } from "./keywords";
import { lexed, type Token } from "./lexer";
import { isSameName, unquoted, written, writtenTable, type Dialect } from "./names";
import {
  expectsNewName,
  expectsTable,
  scopeOf,
  statementAt,
  type NamedTable,
  type Scope,
} from "./scope";

/** Keywords are offered from this many letters on. */
const KEYWORD_FROM = 2;
/** The same where an alias may stand, which seldom has more letters. */
const KEYWORD_FROM_BESIDE_ALIAS = 3;

/** The part of a name that was typed: after which names and dots, and from where. */
interface Typed {
  word: string;
  qualifiers: readonly string[];
  from: number;
  before: readonly Token[];
}

/**
 * Completes the name of a table, if that is all that follows from `from` on, as after a command.
 */
export function tableCompletion(
  before: string,
  from: number,
  { tables, dialect }: Sources,
): Completion | undefined {
  const typed = typedAt(lexed(before.slice(from), dialect), before.length - from);
  if (typed === undefined || typed.before.some(({ kind }) => kind !== "word")) return undefined;
  if (typed.before.length > typed.qualifiers.length) return undefined;
  return completed(typed, from, before.length, tableOptions(inSchema(tables, typed), dialect));
}

/** Completes what stands at the cursor of a statement. */
export function sqlCompletion(
  { text, cursor, isAsked }: Place,
  sql: Stretch,
  sources: Sources,
): Completion | undefined {
  const statement = statementAt(
    lexed(text.slice(sql.from, sql.to), sources.dialect),
    cursor - sql.from,
  );
  const typed = typedAt(statement, cursor - sql.from);
  if (typed === undefined || isParameter(typed)) return undefined;
  if (typed.word === "" && typed.qualifiers.length === 0 && !isAsked) return undefined;
  const isNew = isAsked || typed.qualifiers.length > 0 ? "no" : expectsNewName(typed.before);
  if (isNew === "yes") return undefined;
  if (isNew === "maybe") return completed(typed, sql.from, cursor, goingOnOptions(typed.word));
  const scope = scopeOf(statement.filter(({ from }) => from !== typed.from));
  return completed(typed, sql.from, cursor, optionsFor(typed, scope, sources));
}

/** The name at a place; undefined in a text, a number or a comment. */
function typedAt(tokens: readonly Token[], place: number): Typed | undefined {
  const at = tokens.findIndex(({ from, to }) => from < place && to >= place);
  const token = tokens[at];
  const name = token !== undefined && isOpenName(token) ? token : undefined;
  if (token !== undefined && name === undefined && token.kind !== "sign") return undefined;
  const from = name?.from ?? place;
  const before = tokens.filter(({ to }) => to <= from);
  const word = unquoted(name?.text.slice(0, place - from) ?? "");
  return { word, qualifiers: qualifiersOf(before, from), from, before };
}

/** `@name`, `:name` and `$name` are filled in elsewhere. */
function isParameter({ before, from }: Typed): boolean {
  const sign = before.at(-1);
  return sign?.kind === "sign" && sign.to === from && "@:$?".includes(sign.text);
}

function isOpenName({ kind, isClosed }: Token): boolean {
  return kind === "word" || (kind === "quoted" && !isClosed);
}

/** `shop` and `orders` of `shop.orders.`, which end where the name begins. */
function qualifiersOf(before: readonly Token[], from: number): string[] {
  const qualifiers: string[] = [];
  let end = from;
  for (let at = before.length - 1; at >= 1; at -= 2) {
    const [name, dot] = [before[at - 1] as Token, before[at] as Token];
    if (dot.text !== "." || dot.to !== end || name.to !== dot.from || !isName(name)) break;
    qualifiers.unshift(unquoted(name.text));
    end = name.from;
  }
  return qualifiers;
}

function isName({ kind }: Token): boolean {
  return kind === "word" || kind === "quoted";
}

function optionsFor(typed: Typed, scope: Scope, { tables, dialect }: Sources): Option[] {
  const first = typed.before.length - typed.qualifiers.length * 2;
  const isTable = expectsTable(typed.before.slice(0, first));
  if (typed.qualifiers.length > 0) {
    const columns = isTable ? [] : columnsBehind(typed.qualifiers, scope, tables);
    if (columns.length > 0) return columnOptions(columns, dialect);
    return tableOptions(inSchema(tables, typed), dialect, { isBare: true });
  }
  const named = [
    ...ownOptions(scope.own),
    ...tableOptions(tables, dialect),
    ...schemaOptions(tables, dialect),
  ];
  if (isTable) return named;
  return [
    ...columnsInScope(scope, tables, dialect),
    ...aliasOptions(scope),
    ...named,
    ...keywordOptions(typed.word),
  ];
}

/** The columns after `o.`, `orders.` or `shop.orders.`. */
function columnsBehind(
  qualifiers: readonly string[],
  scope: Scope,
  tables: readonly SchemaTable[],
): readonly SchemaColumn[] {
  const [name = ""] = qualifiers;
  const aliased = scope.tables.find(({ alias }) => alias !== undefined && isSameName(alias, name));
  const path = qualifiers.length === 1 && aliased !== undefined ? aliased.path : qualifiers;
  return tableAt(path, tables)?.columns ?? [];
}

function tableAt(path: readonly string[], tables: readonly SchemaTable[]): SchemaTable | undefined {
  const name = path.at(-1) ?? "";
  const schema = path.at(-2);
  return tables.find(
    (table) =>
      isSameName(table.name, name) &&
      (schema === undefined || isSameName(table.schema ?? schema, schema)),
  );
}

function inSchema(tables: readonly SchemaTable[], { qualifiers }: Typed): SchemaTable[] {
  const schema = qualifiers.at(-1);
  if (schema === undefined) return [...tables];
  return tables.filter((table) => table.schema !== undefined && isSameName(table.schema, schema));
}

/** The columns of the statement's tables; of all tables if it names none yet. */
function columnsInScope(scope: Scope, tables: readonly SchemaTable[], dialect: Dialect): Option[] {
  const named = scope.tables.flatMap(({ path }) => tableAt(path, tables) ?? []);
  const from = scope.tables.length === 0 ? tables : named;
  const options = new Map<string, Option>();
  for (const table of from) {
    for (const column of columnOptions(table.columns, dialect)) {
      const detail = [table.name, column.detail ?? ""].filter(Boolean).join(" · ");
      if (!options.has(column.label)) options.set(column.label, { ...column, detail });
    }
  }
  return [...options.values()];
}

function columnOptions(columns: readonly SchemaColumn[], dialect: Dialect): Option[] {
  return columns.map(({ name, type }) => ({
    kind: "column",
    label: name,
    ...(type === null ? {} : { detail: type }),
    insert: written(name, dialect),
  }));
}

function tableOptions(
  tables: readonly SchemaTable[],
  dialect: Dialect,
  { isBare = false } = {},
): Option[] {
  return tables.map((table) => ({
    kind: "table",
    label: table.name,
    detail: [table.schema ?? "", table.kind].filter(Boolean).join(" · "),
    insert: isBare ? written(table.name, dialect) : writtenTable(table, dialect),
  }));
}

function schemaOptions(tables: readonly SchemaTable[], dialect: Dialect): Option[] {
  const schemas = new Set(tables.flatMap(({ schema }) => schema ?? []));
  if (schemas.size < 2) return [];
  return [...schemas].map((schema) => ({
    kind: "schema",
    label: schema,
    detail: "schema",
    insert: `${written(schema, dialect)}.`,
  }));
}

function aliasOptions(scope: Scope): Option[] {
  return scope.tables.flatMap(({ alias, path }: NamedTable): Option[] =>
    alias === undefined
      ? []
      : [{ kind: "alias", label: alias, detail: path.join("."), insert: alias }],
  );
}

function ownOptions(own: readonly string[]): Option[] {
  return own.map((name) => ({
    kind: "alias",
    label: name,
    detail: "of this statement",
    insert: name,
  }));
}

function keywordOptions(word: string): Option[] {
  if (word.length < KEYWORD_FROM) return [];
  const isSmall = word === word.toLowerCase();
  return KEYWORDS.map((keyword) => {
    const text = isSmall ? keyword : keyword.toUpperCase();
    return { kind: "keyword", label: text, insert: text };
  });
}

/** What may stand where the user may be naming something: no name that is there already. */
function goingOnOptions(word: string): Option[] {
  if (word.length < KEYWORD_FROM_BESIDE_ALIAS) return [];
  return keywordOptions(word).filter(({ label }) => GOING_ON.has(label.toLowerCase()));
}

/**
 * Those that match what was typed: first those that begin with it, then those with a part that
 * does.
 */
function completed(
  typed: Typed,
  offset: number,
  to: number,
  options: readonly Option[],
): Completion {
  const wanted = typed.word.toLowerCase();
  const ranked = [0, 1].map((rank) => options.filter((one) => rankOf(one, wanted) === rank));
  const isWhole = wanted !== "" && options.some(({ label }) => label.toLowerCase() === wanted);
  return {
    from: offset + typed.from,
    to,
    options: ranked.flat().slice(0, OPTIONS_MAX),
    isWhole,
  };
}

function rankOf({ label, kind }: Option, wanted: string): number | undefined {
  const name = label.toLowerCase();
  if (name.startsWith(wanted)) return 0;
  return kind !== "keyword" && name.split(/[_\s-]+/).some((part) => part.startsWith(wanted))
    ? 1
    : undefined;
}
