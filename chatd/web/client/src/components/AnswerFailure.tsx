import { correctionsOf, placeOf } from "../answers/corrections";
import { adviceText, partialText } from "../answers/sentences";
import { readable } from "../answers/values";
import { useUi } from "../hooks/useChat";
import type { Answer } from "../websocket/types";
import { Statement } from "./Statement";

/** Why an answer is not done: a sentence, the place in the statement, and what was meant. */
export function AnswerFailure({ answer, asked, hideStatement }: AnswerFailureProps) {
  const compose = useUi((state) => state.compose);
  const { error, state } = answer;
  const advice = adviceText(state);
  const partial = partialText(answer);
  const message = state === "error" ? (error?.message ?? "This answer failed.") : "";
  const statement = answer.statement ?? asked;
  const place = statement === undefined ? undefined : placeOf(message, statement);
  const corrections = statement === undefined ? [] : correctionsOf(message, statement);
  if (message === "" && advice === "" && partial === "" && !isUnsure(answer)) return null;
  return (
    <div className="answer-failure">
      {message === "" ? null : (
        <p>
          <span className="bad">{readable(message)}</span>{" "}
          {error === undefined ? null : <small className="soft mono">{error.code}</small>}
        </p>
      )}
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
              title={correction.statement}
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
  /** What was asked, where the answer does not repeat its statement. */
  asked: string | undefined;
  /** Whether the statement is shown already. */
  hideStatement: boolean;
}

/** Whether an answer was stopped, and its database has not said so: its sentence tells it. */
function isUnsure(answer: Answer): boolean {
  return answer.state === "cancelled" && /did not say/.test(answer.error?.message ?? "");
}
