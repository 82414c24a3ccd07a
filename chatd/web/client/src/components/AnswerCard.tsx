import type { ChatMessage } from "../websocket/types";

/** The result of a question: under way, or ended. */
export function AnswerCard(_: { message: ChatMessage }) {
  return null;
}
