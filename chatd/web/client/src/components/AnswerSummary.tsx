import { memo, useState } from "react";
import type { CardTab } from "../answers/cardStates";
import { cutBadge, cutSentences, outcomeText } from "../answers/sentences";
import { duration } from "../format";
import { useUi } from "../hooks/useChat";
import type { Answer } from "../websocket/types";
import { Modes } from "./AnswerProgress";

/** How an answer has ended, what sets it apart, and the ways to look at it. */
export const AnswerSummary = memo(function AnswerSummary(props: AnswerSummaryProps) {
  const { answer, modes, tab, noChart, canShowStatement, onSelect } = props;
  const { state } = answer;
  const isDone = state === "done";
  const tone = isDone || state === "cancelled" ? "" : state === "error" ? "bad" : "is-warning";
  const badge = cutBadge(answer);
  const [isAsked, setAsked] = useState(false);
  const announce = useUi((now) => now.announce);
  const sayWhyNot = () => {
    setAsked(true);
    announce(noChart ?? "");
  };
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
        {noChart === undefined ? null : (
          <Tab
            name="chart"
            label="Chart"
            shown={tab}
            onSelect={noChart === "" ? onSelect : sayWhyNot}
            whyNot={noChart}
          />
        )}
        {canShowStatement && answer.columns.length > 0 ? (
          <Tab name="statement" label="SQL" shown={tab} onSelect={onSelect} />
        ) : null}
      </div>
      {isAsked && noChart ? <span className="soft">{noChart}</span> : null}
    </div>
  );
});

interface AnswerSummaryProps {
  answer: Answer;
  modes: { isPlan: boolean; mayWrite: boolean };
  tab: CardTab;
  /** Why its rows are not drawn; "" where they are, undefined where they cannot be. */
  noChart: string | undefined;
  canShowStatement: boolean;
  onSelect(tab: CardTab): void;
}

function Tab({ name, label, shown, onSelect, whyNot = "" }: TabProps) {
  return (
    <button
      type="button"
      aria-pressed={shown === name}
      // Not disabled: whoever presses it is told why.
      aria-disabled={whyNot !== ""}
      title={whyNot || undefined}
      onClick={() => onSelect(name)}
    >
      {label}
    </button>
  );
}

interface TabProps {
  name: CardTab;
  label: string;
  shown: CardTab;
  whyNot?: string;
  onSelect(tab: CardTab): void;
}
