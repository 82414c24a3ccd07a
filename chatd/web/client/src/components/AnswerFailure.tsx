import { correctionsOf, placeOf } from "../answers/corrections";
import { adviceText, partialText } from "../answers/sentences";
import { beginning, readable } from "../answers/values";
import type { Answer } from "../websocket/types";
import { Statement } from "./Statement";

/** Characters of a corrected statement that a pointer at its button shows. */
const TITLE_CHARS = 500;

/** How the server refuses a table that the question itself has left out. */
const OUTSIDE = /outside of what this question may touch/;
const LIMITED =
  "The question was limited to the parts that its head names. Remove them below the box, and ask again.";

/** Why an answer is not done: a sentence, the place in the statement, and what was meant. */
export function AnswerFailure(props: AnswerFailureProps) {
  const { answer, asked, hideStatement, isViewer, isLimited, compose } = props;
  const { error, state } = answer;
  const advice = adviceText(state);
  const partial = partialText(answer);
  const message = state === "error" ? (error?.message ?? "This answer failed.") : "";
  const statement = answer.statement ?? asked;
  const place = statement === undefined ? undefined : placeOf(message, statement);
  const corrections = statement === undefined || isViewer ? [] : correctionsOf(message, statement);
  if (message === "" && advice === "" && partial === "" && !isUnsure(answer)) return null;
  return (
    <div className="answer-failure">
      {message === "" ? null : (
        <p>
          <span className="bad">{readable(message)}</span>{" "}
          {error === undefined ? null : <small className="soft mono">{error.code}</small>}
        </p>
      )}
      {isLimited && !isViewer && OUTSIDE.test(message) ? <p className="soft">{LIMITED}</p> : null}
      {isUnsure(answer) ? <p className="soft">{readable(error?.message ?? "")}</p> : null}
      {advice === "" && partial === "" ? null : (
        <p className="soft">{[partial, advice].filter(Boolean).join(" ")}</p>
      )}
      {place === undefined || statement === undefined || hideStatement ? null : (
        <Statement text={statement} place={place} />
      )}
      {corrections.length === 0 ? null : (
        <p className="answer-corrections">
          {corrections.map((correction) => (
            <button
              key={correction.name}
              type="button"
              className="plain"
              title={beginning(correction.statement, TITLE_CHARS)}
              onClick={() => compose(correction.statement)}
            >
              Use <code>{correction.name}</code>
            </button>
          ))}
        </p>
      )}
    </div>
  );
}

interface AnswerFailureProps {
  answer: Answer;
  /** What was asked, if the answer does not repeat its statement. */
  asked: string | undefined;
  /** Whether the user may not write in the room. */
  isViewer: boolean;
  /** Whether the question named the tables, or the schema, that it may touch. */
  isLimited: boolean;
  /** Whether the statement is shown already. */
  hideStatement: boolean;
  /** Put a statement into the composer. */
  compose(statement: string): void;
}

/** Whether an answer was stopped without a word from its database: its sentence says so. */
function isUnsure(answer: Answer): boolean {
  return answer.state === "cancelled" && /did not say/.test(answer.error?.message ?? "");
}
