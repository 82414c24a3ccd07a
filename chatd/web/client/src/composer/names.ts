/** The names of tables and columns, as a statement has to write them. */
import type { RoomDatabase, SchemaTable } from "../websocket/wire.gen";

export type Dialect = "sqlite" | "postgres" | "mysql";

/** The schema that is meant if a statement names none. */
const OWN_SCHEMA: Record<Dialect, string | undefined> = {
  sqlite: "main",
  postgres: "public",
  mysql: undefined,
};

const PLAIN: Record<Dialect, RegExp> = {
  sqlite: /^[A-Za-z_][A-Za-z0-9_]*$/,
  // Postgres folds names without quotes to lower case.
  postgres: /^[a-z_][a-z0-9_]*$/,
  mysql: /^[A-Za-z_][A-Za-z0-9_]*$/,
};

/** Words that need quotes as names, in one dialect or another. */
const RESERVED = new Set(
  (
    "add all alter analyze and any array as asc between both by cascade case cast check collate " +
    "column constraint create cross current_date current_time current_timestamp current_user " +
    "database default deferrable delete desc describe distinct do drop else end escape except " +
    "exists explain false fetch for foreign from full grant group groups having if ignore in " +
    "index inner insert intersect interval into is isnull join key keys lateral leading left like " +
    "limit localtime localtimestamp lock match natural not notnull null offset on only or order " +
    "outer over primary procedure range rank read recursive references rename replace returning " +
    "right row rows select session_user set show some table then to trailing transaction trigger " +
    "true union unique update user using values variadic verbose view when where window with write"
  ).split(" "),
);

/** The dialect in which a room's database is asked; the widest one if it names none. */
export function dialectOf(database: RoomDatabase | undefined): Dialect {
  const said = database?.dialect ?? database?.kind;
  return said === "postgres" || said === "mysql" ? said : "sqlite";
}

/** @example quoted("My Table", "mysql") is "`My Table`" */
export function quoted(name: string, dialect: Dialect): string {
  const quote = dialect === "mysql" ? "`" : '"';
  return quote + name.replaceAll(quote, quote + quote) + quote;
}

/** A name, in quotes if it needs them. */
export function written(name: string, dialect: Dialect): string {
  const isPlain = PLAIN[dialect].test(name) && !RESERVED.has(name.toLowerCase());
  return isPlain ? name : quoted(name, dialect);
}

/** A table, with its schema unless that is the one that is meant anyway. */
export function writtenTable(table: SchemaTable, dialect: Dialect): string {
  const name = written(table.name, dialect);
  const isOwn = table.schema === undefined || table.schema === OWN_SCHEMA[dialect];
  return isOwn ? name : `${written(table.schema as string, dialect)}.${name}`;
}

/** What a quoted name says, without its quotes; an end that is not there yet may be missing. */
export function unquoted(text: string): string {
  const open = text[0] ?? "";
  const close = open === "[" ? "]" : open;
  if (!'"`['.includes(open) || open === "") return text;
  const inner = text.slice(1).replaceAll(close + close, "\0");
  return (inner.endsWith(close) ? inner.slice(0, -1) : inner).replaceAll("\0", close);
}

/** Whether two names mean the same; only Postgres distinguishes upper and lower case, in quotes. */
export function isSameName(one: string, other: string): boolean {
  return one.toLowerCase() === other.toLowerCase();
}
