/** How the next message is to be asked: its switches and chips, which fall back once it is sent. */
import { counted } from "../format";
import type { MessageContext } from "../websocket/types";
import type { RoomDatabase } from "../websocket/wire.gen";

/** The most tables that a context may have. Source: the protocol, `context.tables`. */
export const TABLES_MAX = 100;
/** The largest context, as JSON. Source: the protocol. Unit: bytes. */
export const CONTEXT_BYTES_MAX = 16_384;

export interface Question {
  readonly readOnly: boolean;
  readonly dryRun: boolean;
  /** The only tables that it may touch, as a statement writes them; empty: all. */
  readonly tables: readonly string[];
  readonly schema?: string;
}

/** What holds if the user has said nothing. */
export const UNCHANGED: Question = { readOnly: true, dryRun: false, tables: [] };

/** What differs in the question from what the server does by itself; undefined if nothing does. */
export function contextOf(
  question: Question,
  database: RoomDatabase | undefined,
): MessageContext | undefined {
  if (database === undefined) return undefined;
  const config = {
    ...(question.readOnly || database.readOnly ? {} : { readOnly: false }),
    ...(question.dryRun && database.dryRun ? { dryRun: true } : {}),
  };
  const context: MessageContext = {
    ...(question.schema === undefined ? {} : { schema: question.schema }),
    ...(question.tables.length === 0 ? {} : { tables: [...question.tables] }),
    ...(Object.keys(config).length === 0 ? {} : { config }),
  };
  return Object.keys(context).length === 0 ? undefined : context;
}

/** The question with one more table; or a sentence that says why not. */
export function withTable(question: Question, table: string): Question | string {
  if (question.tables.includes(table)) return question;
  if (question.tables.length === TABLES_MAX)
    return `A question can name ${counted(TABLES_MAX, "table")} at most.`;
  return bounded({ ...question, tables: [...question.tables, table] });
}

export function withSchema(question: Question, schema: string): Question | string {
  return bounded({ ...question, schema });
}

export function withoutTable(question: Question, table: string): Question {
  return { ...question, tables: question.tables.filter((one) => one !== table) };
}

export function withoutSchema({ readOnly, dryRun, tables }: Question): Question {
  return { readOnly, dryRun, tables };
}

function bounded(question: Question): Question | string {
  const { schema, tables } = question;
  const bytes = new TextEncoder().encode(
    JSON.stringify({ schema, tables, config: CONFIG_AT_MOST }),
  );
  return bytes.length <= CONTEXT_BYTES_MAX
    ? question
    : "These names are too long for one question.";
}

const CONFIG_AT_MOST = { readOnly: false, dryRun: false };
