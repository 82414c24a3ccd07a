/** What is offered while the user writes, and what it is taken from. */
import type { CommandHelp, SchemaTable } from "../websocket/wire.gen";
import type { Dialect } from "./names";
import type { Person } from "./people";

/** In longer texts nothing is completed, so that no text makes a key slow. Unit: UTF-16 code units. */
export const COMPLETED_MAX = 20_000;
/** How many things are offered at most. */
export const OPTIONS_MAX = 50;

export type OptionKind = "command" | "table" | "column" | "alias" | "schema" | "keyword" | "person";

export interface Option {
  kind: OptionKind;
  label: string;
  /** Beside it: what a command does, the type of a column, how present somebody is. */
  detail?: string;
  /** What takes the place of what was typed. */
  insert: string;
}

export interface Completion {
  /** What is replaced. */
  from: number;
  to: number;
  options: readonly Option[];
  /** What was typed is whole: it names something already. */
  isWhole: boolean;
}

export interface Sources {
  commands: readonly CommandHelp[];
  tables: readonly SchemaTable[];
  dialect: Dialect;
  people: readonly Person[];
  /** Whether a database answers in the room. */
  hasDatabase: boolean;
  /** The part that knows SQL; it is loaded separately, and absent until then. */
  sql: SqlCompleter | undefined;
}

export type SqlCompleter = typeof import("./sqlCompletion");

export interface Place {
  text: string;
  cursor: number;
  /** A key has asked for it: show what there is, though nothing was typed. */
  isAsked: boolean;
}
