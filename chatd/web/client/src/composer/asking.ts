/** Asks a question once more, as a message of its own: an answer belongs to what was asked. */
import type { Chat } from "../stores/chat";
import type { SendOptions } from "../stores/state";

/** Where and how it is asked: like the question before it. */
export interface AskOptions extends Pick<SendOptions, "context" | "threadId"> {
  room: string;
}

/** Send a question; if that is not possible, a notice says why and keeps it. */
export async function askAgain(chat: Chat, asked: string, how: AskOptions): Promise<void> {
  const { sendMessage, notify } = chat.store.getState();
  const { room, context, threadId } = how;
  try {
    await sendMessage(asked, {
      room,
      ...(context === undefined ? {} : { context }),
      ...(threadId === undefined ? {} : { threadId }),
    });
  } catch (error) {
    const text = error instanceof Error ? error.message : "This could not be sent.";
    notify({ kind: "error", text, kept: asked });
  }
}
