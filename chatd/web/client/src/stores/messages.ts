/** Messages as the store holds them, and the rows of their answers. */
import type { ChatMessage } from "../websocket/types";
import type { PublishedMessage } from "../websocket/wire.gen";
import type { RunningAnswer } from "./answers";

/** The most answers whose rows are held; an older one says how many it had, and is read again. */
export const ROWS_HELD_MAX = 200;

export type StoredMessage = ChatMessage & { seq: number };

/** A message from the server, as the store holds it. */
export function stored(message: PublishedMessage): StoredMessage {
  const { replay: _replay, mentions, reactions, ...rest } = message;
  return {
    ...rest,
    // If it is not a list, the server means something else by it.
    ...(Array.isArray(mentions) ? { mentions } : {}),
    ...(Array.isArray(reactions) ? { reactions } : {}),
  } as StoredMessage;
}

/** What stands in the room for an answer under way, until its message comes with the same id. */
export function placeholder(
  answer: RunningAnswer,
  question: ChatMessage | undefined,
  at: number,
): ChatMessage {
  return {
    messageId: answer.answerId,
    connectionId: answer.connectionId,
    userId: `db:${answer.connectionId}`,
    content: "",
    timestamp: at,
    status: "pending",
    replyTo: answer.questionId,
    ...(question?.threadId === undefined ? {} : { threadId: question.threadId }),
  };
}

/** Keeps the rows of at most `ROWS_HELD_MAX` answers: those that came last. */
export class HeldRows {
  #ids = new Set<string>();

  /** A message was placed; rows of another one may have to go. */
  came(messages: Map<string, ChatMessage>, messageId: string): void {
    if ((messages.get(messageId)?.answer?.rows.length ?? 0) === 0) return;
    this.#ids.delete(messageId);
    this.#ids.add(messageId);
    while (this.#ids.size > ROWS_HELD_MAX) {
      const oldest = this.#ids.keys().next().value;
      if (oldest === undefined) return;
      this.#ids.delete(oldest);
      const message = messages.get(oldest);
      if (message !== undefined) messages.set(oldest, withoutRows(message));
    }
  }
}

export function withoutRows(message: ChatMessage): ChatMessage {
  const { answer } = message;
  if (answer === undefined || answer.rows.length === 0) return message;
  const rowsOmitted = answer.rows.length + (answer.rowsOmitted ?? 0);
  return { ...message, answer: { ...answer, rows: [], rowsOmitted } };
}
