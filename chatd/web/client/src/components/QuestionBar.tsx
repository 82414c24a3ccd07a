import { useId, useState } from "react";
import { contextOptions, type ContextOption } from "../composer/contextOptions";
import { dialectOf } from "../composer/names";
import {
  withoutSchema,
  withoutTable,
  withSchema,
  withTable,
  type Question,
} from "../composer/question";
import { useChat, useChatStore } from "../hooks/useChat";
import type { RoomDatabase } from "../websocket/wire.gen";
import { Chooser } from "./Chooser";
import type { ListedOption } from "./OptionList";

interface QuestionBarProps {
  room: string;
  database: RoomDatabase;
  question: Question;
  ask(question: Question): void;
  /** Where the focus goes when a choice is made. */
  focusBox(): void;
}

/** How the next message is to be asked: what it may do, and what it may touch. */
export function QuestionBar({ room, database, question, ask, focusBox }: QuestionBarProps) {
  const lockId = useId();
  const mayWrite = !question.readOnly && !database.readOnly;
  return (
    <fieldset className="composer-question" aria-label="For the next question">
      <label
        title={database.readOnly ? READ_ONLY : undefined}
        className={mayWrite ? "composer-writes" : undefined}
      >
        <input
          type="checkbox"
          checked={!mayWrite}
          // Not disabled: somebody who comes here with the keyboard should hear the reason.
          aria-disabled={database.readOnly}
          aria-describedby={database.readOnly ? lockId : undefined}
          onChange={(event) => {
            if (!database.readOnly) ask({ ...question, readOnly: event.target.checked });
          }}
        />{" "}
        Read only
      </label>
      {database.readOnly && (
        <span id={lockId} className="sr">
          {READ_ONLY}
        </span>
      )}
      {database.dryRun && (
        <label title="Show how the database would run it, without running it.">
          <input
            type="checkbox"
            checked={question.dryRun}
            onChange={(event) => ask({ ...question, dryRun: event.target.checked })}
          />{" "}
          Plan only
        </label>
      )}
      {question.schema !== undefined && (
        <Chip
          kind="schema"
          name={question.schema}
          onRemove={() => {
            ask(withoutSchema(question));
            focusBox();
          }}
        />
      )}
      {question.tables.map((table) => (
        <Chip
          key={table}
          kind="table"
          name={table}
          onRemove={() => {
            ask(withoutTable(question, table));
            focusBox();
          }}
        />
      ))}
      <AddContext
        room={room}
        database={database}
        question={question}
        ask={ask}
        focusBox={focusBox}
      />
    </fieldset>
  );
}

const READ_ONLY = "The database of this room allows reading only.";

interface ChipProps {
  kind: ContextOption["kind"];
  name: string;
  onRemove(): void;
}

function Chip({ kind, name, onRemove }: ChipProps) {
  return (
    <span className="composer-chip">
      {kind === "schema" && <span className="soft">schema </span>}
      {name}
      <button type="button" aria-label={`Leave out the ${kind} ${name}`} onClick={onRemove}>
        <span aria-hidden="true">✕</span>
      </button>
    </span>
  );
}

function AddContext({ room, database, question, ask, focusBox }: QuestionBarProps) {
  const chat = useChat();
  const [isOpen, setOpen] = useState(false);
  const tables = useChatStore((state) => state.schemas.get(room)?.tables);
  const dialect = dialectOf(database);

  function open(): void {
    setOpen(true);
    const state = chat.store.getState();
    // If they cannot be read, a name can be typed.
    if (state.can("schema")) void state.loadSchema(room);
  }

  function close(): void {
    setOpen(false);
    focusBox();
  }

  function choose({ key }: ListedOption): void {
    const [kind = "", name = ""] = JSON.parse(key) as string[];
    const next = kind === "table" ? withTable(question, name) : withSchema(question, name);
    if (typeof next === "string") chat.store.getState().notify({ kind: "error", text: next });
    else ask(next);
    close();
  }

  return (
    <>
      <button
        type="button"
        className="composer-add"
        aria-expanded={isOpen}
        title="Let the next question touch some tables only."
        onClick={open}
      >
        + Table
      </button>
      {isOpen && (
        <Chooser
          label="Tables that the next question may touch"
          placeholder="Name of a table"
          nothing="Type the name of a table."
          optionsFor={(typed) => contextOptions(typed, tables ?? [], dialect).map(listed)}
          onChoose={choose}
          onClose={close}
          onLeave={() => setOpen(false)}
        />
      )}
    </>
  );
}

function listed({ kind, name, detail }: ContextOption): ListedOption {
  return { key: JSON.stringify([kind, name]), label: name, detail };
}
