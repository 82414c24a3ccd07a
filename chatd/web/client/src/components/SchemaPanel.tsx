import { useId, useState } from "react";
import { composingOf } from "../composer/composing";
import { dialectOf } from "../composer/names";
import { withTable } from "../composer/question";
import {
  ROWS_MAX,
  rowsOf,
  statementName,
  type SchemaRow,
  type TableRow,
} from "../composer/schemaRows";
import { counted, timeOfDay } from "../format";
import { useChat, useChatStore, useIsViewer } from "../hooks/useChat";
import { NARROW, useMedia } from "../hooks/useMedia";
import { useSchema } from "../hooks/useSchema";
import type { SchemaView } from "../stores/state";
import { SchemaTree } from "./SchemaTree";

/** The tables and columns of the room’s database, in the panel. */
export function SchemaPanel({ room }: { room: string }) {
  const chat = useChat();
  const hintId = useId();
  const { schema, isLoading, isFresh, readAgain } = useSchema(room);
  const database = useChatStore(
    (state) => state.rooms.find(({ connectionId }) => connectionId === room)?.database,
  );
  const isViewer = useIsViewer(room);
  const isNarrow = useMedia(NARROW);
  const [filter, setFilter] = useState("");
  const [opened, setOpened] = useState<ReadonlySet<string>>(new Set());
  const dialect = dialectOf(database);
  const tables = schema?.tables ?? [];
  const rows = rowsOf(tables, filter, opened);

  function insert(row: SchemaRow, isOverPage: boolean): void {
    const ui = chat.ui.getState();
    // If the panel lies over the page, the composer is behind it.
    if (isOverPage) ui.closePanel();
    ui.compose(statementName(row, dialect), "insert");
  }

  function addToQuestion(row: TableRow): void {
    const composing = composingOf(chat).getState();
    const name = statementName(row, dialect);
    const next = withTable(composing.questionOf({ room }), name);
    if (typeof next === "string") {
      chat.store.getState().notify({ kind: "error", text: next });
      return;
    }
    composing.ask({ room }, next);
    chat.ui.getState().announce(`The next question may touch ${next.tables.join(", ")}.`);
  }

  return (
    <div className="schema">
      <div className="schema-head">
        <input
          type="search"
          aria-label="Filter tables and columns"
          placeholder={isNarrow ? "Filter" : "Filter tables and columns"}
          aria-describedby={isViewer ? undefined : hintId}
          autoComplete="off"
          spellCheck={false}
          value={filter}
          onChange={(event) => setFilter(event.target.value)}
        />
        <button type="button" className="plain" disabled={isLoading} onClick={readAgain}>
          Refresh
        </button>
      </div>
      {!isViewer && (
        <p className="schema-hint soft" id={hintId}>
          Choose a name to write it at the cursor. + lets the next question touch that table only.
        </p>
      )}
      {schema?.failure !== undefined && (
        <p className="bad" role="alert">
          {schema.failure}
        </p>
      )}
      {isLoading && schema === undefined && <p className="soft">Reading the tables…</p>}
      {schema !== undefined && (
        <>
          <SchemaTree
            rows={rows.slice(0, ROWS_MAX)}
            toggle={(key) => setOpened((now) => toggled(now, key))}
            {...(isViewer ? {} : { insert, addToQuestion })}
          />
          <p className="schema-hint soft">{countOf(rows, schema, filter)}</p>
          {schema.readAt > 0 && (
            <p className="schema-hint soft">
              Read at {timeOfDay(schema.readAt)}.{isFresh && " That is recent enough to keep."}
            </p>
          )}
        </>
      )}
    </div>
  );
}

function toggled(keys: ReadonlySet<string>, key: string): ReadonlySet<string> {
  const next = new Set(keys);
  if (!next.delete(key)) next.add(key);
  return next;
}

function countOf(rows: readonly SchemaRow[], schema: SchemaView, filter: string): string {
  const { tables, truncated, failure } = schema;
  if (tables.length === 0) return failure === undefined ? "There are no tables to show." : "";
  if (rows.length === 0) return `No table or column matches “${filter.trim()}”.`;
  if (rows.length > ROWS_MAX) return "There are more; type more into the filter to see them.";
  const known = `${counted(tables.length, "table")}.`;
  return truncated ? `${known} The database has more; they are left out here.` : known;
}
