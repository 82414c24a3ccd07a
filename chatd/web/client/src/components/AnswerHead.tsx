import { memo } from "react";
import { beginning, oneLine } from "../answers/values";
import { lineOf } from "../messages/parts";
import type { MessageContext } from "../websocket/types";
import { Sql } from "./Sql";

/** Characters of a statement that its one line may show. */
const LINE_CHARS = 300;
/** So many tables of a context are named; if there are more, their number is given. */
const TABLES_SHOWN = 4;

/** Who asked, and what; a click shows all of the statement. */
export const AnswerHead = memo(function AnswerHead(props: AnswerHeadProps) {
  const { who, statement, context, isOpen, onToggle } = props;
  const tables = context?.tables ?? [];
  return (
    <header className="answer-head">
      {who === undefined ? null : (
        <span className="answer-who soft">
          <bdi>{who}</bdi> asked
        </span>
      )}
      {statement === undefined ? null : (
        <button
          type="button"
          className="answer-line"
          aria-expanded={isOpen}
          title={isOpen ? "Hide the statement" : "Show the whole statement"}
          onClick={onToggle}
        >
          <Sql text={oneLine(beginning(lineOf(statement, true), LINE_CHARS))} />
        </button>
      )}
      {context?.schema === undefined ? null : (
        <span className="answer-chip">schema {oneLine(context.schema)}</span>
      )}
      {tables.slice(0, TABLES_SHOWN).map((table) => (
        <span key={table} className="answer-chip">
          {oneLine(table)}
        </span>
      ))}
      {tables.length > TABLES_SHOWN && (
        <span
          className="answer-chip"
          title={oneLine(beginning(tables.slice(TABLES_SHOWN).join(", "), LINE_CHARS))}
        >
          and {tables.length - TABLES_SHOWN} more
        </span>
      )}
    </header>
  );
});

interface AnswerHeadProps {
  who: string | undefined;
  statement: string | undefined;
  context: MessageContext | undefined;
  isOpen: boolean;
  onToggle(): void;
}
