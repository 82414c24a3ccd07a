import { useState } from "react";
import { cutSentences, filesText } from "../answers/sentences";
import { count, counted } from "../format";
import type { Answer } from "../websocket/types";

/**
 * What there is to say of an answer, below its rows: that there are none, what was left out, and
 * what its statement probably does not do as it was meant.
 */
export function AnswerNotes({ answer, onShowAll }: AnswerNotesProps) {
  const cut = cutSentences(answer);
  const files = filesText(answer);
  const omitted = answer.rowsOmitted ?? 0;
  const isEmpty = answer.state === "done" && answer.columns.length > 0 && answer.rowCount === 0;
  if (cut.length === 0 && omitted === 0 && !isEmpty && answer.remark === undefined) return null;
  return (
    <div className="answer-notes">
      {isEmpty ? <p className="soft">{cut.length > 0 ? "No row fits." : "No rows."}</p> : null}
      {omitted > 0 ? <ShowAll answer={answer} onShowAll={onShowAll} /> : null}
      {cut.length === 0 ? null : <p className="answer-cut">{cut.join(" ")}</p>}
      {answer.remark === undefined ? null : <p className="answer-cut">{answer.remark}</p>}
      {files === "" ? null : <p className="soft">{files}</p>}
    </div>
  );
}

interface AnswerNotesProps {
  answer: Answer;
  /** Read the rows that this copy of the answer leaves out. */
  onShowAll(): Promise<Answer | undefined>;
}

function ShowAll({ answer, onShowAll }: AnswerNotesProps) {
  const [state, setState] = useState<"" | "reading" | "failed">("");
  const read = async () => {
    setState("reading");
    const whole = await onShowAll().catch(() => undefined);
    setState((whole?.rowsOmitted ?? 1) > 0 ? "failed" : "");
  };
  return (
    <p>
      <span className="soft">{counted(answer.rows.length, "row")} shown here. </span>
      <button
        type="button"
        className="plain"
        disabled={state === "reading"}
        onClick={() => void read()}
      >
        {state === "reading" ? "Reading…" : `Show the ${count(answer.rowCount)} rows`}
      </button>
      {state === "failed" ? <span className="bad"> The rows could not be read.</span> : null}
    </p>
  );
}
