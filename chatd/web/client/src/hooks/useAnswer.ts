/** An answer as its card shows it, under way or ended. */
import { useCallback, useEffect, useMemo, useState, useSyncExternalStore } from "react";
import { heldOf, viewOf, type AnswerView, type Held } from "../answers/view";
import { LOST_AFTER_MS, type RunningAnswer } from "../stores/answers";
import type { ChatMessage } from "../websocket/types";
import { useChat, useChatStore } from "./useChat";

export interface ShownAnswer {
  view: AnswerView;
  held: Held;
  live: RunningAnswer | undefined;
}

/** What there is of an answer; renders once a frame while its rows come. */
export function useAnswer(message: ChatMessage): ShownAnswer {
  const { answers } = useChat();
  const id = message.messageId;
  const subscribe = useCallback(
    (changed: () => void) => answers.subscribe(id, changed),
    [answers, id],
  );
  const read = useCallback(() => answers.get(id), [answers, id]);
  const live = useSyncExternalStore(subscribe, read, read);
  return useMemo(() => {
    const view = viewOf(message, live);
    return { view, held: heldOf(view), live };
  }, [message, live]);
}

/**
 * The end of an answer is overdue. `waiting`: there is no connection to ask over; `asking`: the
 * page is asking; `lost`: asking has told nothing.
 */
export type Loss = "waiting" | "asking" | "lost";

/**
 * Whether the end of an answer is overdue; `again` asks for it. The store looks for an answer that
 * is under way, and tells what it finds; this hook asks for an answer of which nothing is known,
 * once for each connection.
 */
export function useLoss(message: ChatMessage, view: AnswerView) {
  const fetchAnswer = useChatStore((state) => state.fetchAnswer);
  const isConnected = useChatStore((state) => state.isConnected);
  const [isAsking, setAsking] = useState(false);
  const { messageId, connectionId } = message;
  const isGone = view.kind === "gone";
  const isLate = useIsPast(view.kind === "running" ? view.live.deadline + LOST_AFTER_MS : Infinity);
  const ask = useCallback(
    async (how?: { silently: boolean }) => {
      setAsking(true);
      await fetchAnswer(messageId, connectionId, how).catch(() => {});
      setAsking(false);
    },
    [fetchAnswer, messageId, connectionId],
  );
  useEffect(() => {
    if (!isGone || !isConnected) return undefined;
    const timer = setTimeout(() => void ask({ silently: true }));
    return () => clearTimeout(timer);
  }, [isGone, isConnected, ask]);
  const again = useCallback(() => void ask(), [ask]);
  return { loss: isGone || isLate ? lossOf(isAsking, isConnected) : undefined, again };
}

function lossOf(isAsking: boolean, isConnected: boolean): Loss {
  if (isAsking) return "asking";
  return isConnected ? "lost" : "waiting";
}

/** Whether a moment has passed, on the clock of `performance.now()`. */
function useIsPast(moment: number): boolean {
  const [passed, setPassed] = useState<number>();
  useEffect(() => {
    if (moment === Infinity) return undefined;
    const timer = setTimeout(() => setPassed(moment), Math.max(0, moment - performance.now()));
    return () => clearTimeout(timer);
  }, [moment]);
  return passed === moment;
}
