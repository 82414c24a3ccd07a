/** An answer as its card shows it, under way or ended. */
import { useCallback, useEffect, useMemo, useState, useSyncExternalStore } from "react";
import { LOST_AFTER_MS, heldOf, viewOf, type AnswerView, type Held } from "../answers/view";
import type { RunningAnswer } from "../stores/answers";
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
 * The end of an answer is overdue. `waiting`: there is no connection to ask for it; `asking`: it is
 * asked for; `lost`: that told nothing.
 */
export type Loss = "waiting" | "asking" | "lost";

/**
 * Whether the end of an answer is overdue. Then it is asked for again, once for each connection;
 * `again` asks once more.
 */
export function useLoss(message: ChatMessage, view: AnswerView) {
  const fetchAnswer = useChatStore((state) => state.fetchAnswer);
  const isConnected = useChatStore((state) => state.isConnected);
  const [loss, setLoss] = useState<Loss>();
  const { messageId, connectionId } = message;
  const overdueAt = overdueTime(view);
  const ask = useCallback(() => {
    setLoss("asking");
    const tell = () => setLoss("lost");
    fetchAnswer(messageId, connectionId).then(tell, tell);
  }, [fetchAnswer, messageId, connectionId]);
  useEffect(() => {
    if (overdueAt === undefined) return undefined;
    const look = isConnected ? ask : () => setLoss("waiting");
    const timer = setTimeout(look, Math.max(0, overdueAt - performance.now()));
    return () => clearTimeout(timer);
  }, [overdueAt, isConnected, ask]);
  const isOverdue = view.kind === "gone" || (loss !== undefined && overdueAt !== undefined);
  return { loss: isOverdue ? (loss ?? "asking") : undefined, again: ask };
}

/** When an answer counts as lost; undefined where it cannot be. */
function overdueTime(view: AnswerView): number | undefined {
  if (view.kind === "gone") return 0;
  return view.kind === "running" ? view.live.deadline + LOST_AFTER_MS : undefined;
}
