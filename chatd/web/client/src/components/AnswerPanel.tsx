import { useEffect, useState } from "react";
import { useChatStore } from "../hooks/useChat";
import { AnswerView } from "./AnswerView";

/** The whole of an answer, in the panel. */
export function AnswerPanel({ answerId }: { answerId: string }) {
  const message = useChatStore((state) => state.messages.get(answerId));
  const isThere = message !== undefined;
  const omitted = message?.answer?.rowsOmitted ?? 0;
  const fetchAnswer = useChatStore((state) => state.fetchAnswer);
  const room = useChatStore((state) => state.room);
  const place = message?.connectionId ?? room;
  const [hasAsked, setAsked] = useState("");
  // Whoever opens an answer here wants all of it.
  useEffect(() => {
    if ((isThere && omitted === 0) || hasAsked === answerId || place === "") return;
    void fetchAnswer(answerId, place)
      .catch(() => {})
      .then(() => setAsked(answerId));
  }, [isThere, omitted, hasAsked, answerId, place, fetchAnswer]);
  if (message !== undefined) return <AnswerView key={answerId} message={message} isWhole />;
  return (
    <p className="answer-text soft">
      {hasAsked === answerId ? "This answer is not there any more." : "Reading the answer…"}
    </p>
  );
}
