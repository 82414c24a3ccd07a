import { memo } from "react";
import type { ChatMessage } from "../websocket/types";
import { AnswerView } from "./AnswerView";

/** The result of a question: under way, or ended. */
export const AnswerCard = memo(function AnswerCard({ message }: { message: ChatMessage }) {
  return <AnswerView message={message} isWhole={false} />;
});
