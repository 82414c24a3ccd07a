import { useState } from "react";
import { phaseText } from "../answers/sentences";
import type { Loss } from "../hooks/useAnswer";
import { useChatStore, useIsViewer, useUi } from "../hooks/useChat";
import type { RunningAnswer } from "../stores/answers";
import type { AnswerPhase } from "../websocket/types";
import { Elapsed } from "./Elapsed";

/** How far an answer under way is, and how to stop it. */
export function AnswerProgress({ live, phase, whose }: AnswerProgressProps) {
  const isViewer = useIsViewer(live.connectionId);
  return (
    <div className="answer-status">
      <span className="answer-dot" aria-hidden="true" />
      <span>{phaseText(phase, live.rowCount)}</span>
      <Elapsed startedAt={live.startedAt} deadline={live.deadline} />
      <Modes isPlan={live.dryRun} mayWrite={!live.readOnly} />
      {isViewer && whose !== undefined ? null : <Stop questionId={live.questionId} whose={whose} />}
    </div>
  );
}

interface AnswerProgressProps {
  live: RunningAnswer;
  phase: AnswerPhase;
  /** Who asked, if it is somebody else: the server decides who may stop it; a viewer never may. */
  whose: string | undefined;
}

/** What sets this answer apart from others. */
export function Modes({ isPlan, mayWrite }: { isPlan: boolean; mayWrite: boolean }) {
  return (
    <>
      {isPlan && (
        <span className="answer-badge" title="Only the plan was asked for; nothing was run.">
          plan
        </span>
      )}
      {mayWrite && (
        <span className="answer-badge is-warning" title="This question was allowed to write.">
          write
        </span>
      )}
    </>
  );
}

function Stop({ questionId, whose }: { questionId: string; whose: string | undefined }) {
  const cancelAnswer = useChatStore((state) => state.cancelAnswer);
  const [isStopping, setStopping] = useState(false);
  const isAsked = useUi((state) => state.stopping === questionId);
  const [refusal, setRefusal] = useState("");
  const stop = async () => {
    setStopping(true);
    setRefusal("");
    try {
      await cancelAnswer(questionId);
    } catch (error) {
      setRefusal(error instanceof Error ? error.message : "It could not be stopped.");
    }
    setStopping(false);
  };
  return (
    <>
      <button
        type="button"
        className="answer-stop"
        disabled={isStopping}
        aria-label={whose === undefined ? undefined : `Stop ${whose}’s question`}
        onClick={() => void stop()}
      >
        {isStopping ? "Stopping…" : "Stop"}
      </button>
      {isAsked && <span className="soft">or press Esc again</span>}
      {refusal === "" ? null : <span className="bad">{refusal}</span>}
    </>
  );
}

/** What stands in the place of an answer whose end was not heard. */
export function AnswerLoss({ loss, onAgain }: { loss: Loss; onAgain(): void }) {
  if (loss === "asking") {
    return <div className="answer-status">No end was heard; asking again.</div>;
  }
  if (loss === "waiting") {
    return (
      <div className="answer-status">
        No end was heard. The page asks again once it is connected.
      </div>
    );
  }
  return (
    <div className="answer-status">
      <span>No end was heard of this answer.</span>
      <button type="button" className="plain" onClick={onAgain}>
        Look again
      </button>
    </div>
  );
}
