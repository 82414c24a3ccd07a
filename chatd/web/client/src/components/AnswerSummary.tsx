import { memo } from "react";
import type { CardTab } from "../answers/cardStates";
import { cutBadge, cutSentences, outcomeText } from "../answers/sentences";
import { duration } from "../format";
import type { Answer } from "../websocket/types";
import { Modes } from "./AnswerProgress";

/** How an answer has ended, what sets it apart, and the ways to look at it. */
export const AnswerSummary = memo(function AnswerSummary(props: AnswerSummaryProps) {
  const { answer, modes, tab, canChart, canShowStatement, onSelect } = props;
  const { state } = answer;
  const isDone = state === "done";
  const tone = isDone || state === "cancelled" ? "" : state === "error" ? "bad" : "is-warning";
  const badge = cutBadge(answer);
  return (
    <div className={answer.columns.length > 0 ? "answer-status is-line" : "answer-status"}>
      <span className={`answer-outcome ${tone}`}>{outcomeText(answer)}</span>
      {isDone || state === "error" ? (
        <span className="soft">{duration(answer.elapsedMs)}</span>
      ) : null}
      {answer.cached ? (
        <span className="answer-badge" title="The rows were known from an equal question before.">
          cached
        </span>
      ) : null}
      {badge === "" ? null : (
        <span className="answer-badge is-warning" title={cutSentences(answer).join(" ")}>
          {badge}
        </span>
      )}
      <Modes isPlan={modes.isPlan} mayWrite={modes.mayWrite} />
      <div className="answer-tabs" role="group" aria-label="View">
        {answer.columns.length > 0 ? (
          <Tab name="table" label="Table" shown={tab} onSelect={onSelect} />
        ) : null}
        {canChart ? <Tab name="chart" label="Chart" shown={tab} onSelect={onSelect} /> : null}
        {canShowStatement && answer.columns.length > 0 ? (
          <Tab name="statement" label="SQL" shown={tab} onSelect={onSelect} />
        ) : null}
      </div>
    </div>
  );
});

interface AnswerSummaryProps {
  answer: Answer;
  modes: { isPlan: boolean; mayWrite: boolean };
  tab: CardTab;
  canChart: boolean;
  canShowStatement: boolean;
  onSelect(tab: CardTab): void;
}

function Tab({ name, label, shown, onSelect }: TabProps) {
  return (
    <button type="button" aria-pressed={shown === name} onClick={() => onSelect(name)}>
      {label}
    </button>
  );
}

interface TabProps {
  name: CardTab;
  label: string;
  shown: CardTab;
  onSelect(tab: CardTab): void;
}
