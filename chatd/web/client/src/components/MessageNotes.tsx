import { hintCorrection } from "../answers/corrections";
import { composeAt } from "../composer/composeAt";
import { useChat, useChatStore, useIsViewer } from "../hooks/useChat";
import { textOf } from "../hooks/useMessageActions";
import type { ChatMessage, Hint } from "../websocket/types";
import { HINTS } from "../websocket/wire.gen";
import { ConfirmButton } from "./ConfirmButton";

/** What the page says below a message that was not sent, and what can be done about it. */
export function FailedNote({ message }: { message: ChatMessage }) {
  const chat = useChat();
  const retry = useChatStore((state) => state.retryMessage);
  const discard = useChatStore((state) => state.discardMessage);
  const { messageId, refusal } = message;
  const isViewer = useIsViewer(message.connectionId);
  async function edit() {
    const text = await discard(messageId);
    const { connectionId: room, threadId } = message;
    composeAt(chat, { room, threadId }, text ?? textOf(message), "insert");
  }
  return (
    <div className="message-failed">
      <span>{refusal?.message ?? "This message was not sent."}</span>
      {refusal?.retryable !== false && !isViewer && (
        <button type="button" className="plain" onClick={() => void retry(messageId)}>
          Try again
        </button>
      )}
      {!isViewer && (
        <button type="button" className="plain" onClick={() => void edit()}>
          Edit
        </button>
      )}
      <ConfirmButton question="Delete what you wrote?" confirmed={() => void discard(messageId)}>
        Delete
      </ConfirmButton>
    </div>
  );
}

/** Why a message that looked like a question got no answer. */
export function HintNote({ message, hint }: { message: ChatMessage; hint: Hint }) {
  const send = useChatStore((state) => state.sendMessage);
  const notify = useChatStore((state) => state.notify);
  const words = hint.message ?? (Object.hasOwn(HINTS, hint.code) ? HINTS[hint.code] : null);
  const chat = useChat();
  const isViewer = useIsViewer(message.connectionId);
  if (words === null) return null;
  const correction = isViewer ? undefined : hintCorrection(words, textOf(message));
  const { connectionId: room, threadId } = message;
  async function run() {
    const text = `/sql ${textOf(message)}`;
    try {
      await send(text, { room, ...(threadId === undefined ? {} : { threadId }) });
    } catch {
      notify({ kind: "error", text: "This could not be kept for sending.", kept: text });
    }
  }
  return (
    <div className="message-hint">
      <span>{words}</span>
      {correction !== undefined && (
        <button
          type="button"
          className="plain"
          onClick={() => composeAt(chat, { room, threadId }, correction.statement)}
        >
          Use <code>{correction.name}</code>
        </button>
      )}
      {hint.code === "near_sql" && correction === undefined && !isViewer && (
        <button type="button" className="plain" onClick={() => void run()}>
          Run it
        </button>
      )}
    </div>
  );
}

/** Stands in place of a message that can no longer be read. */
export function GoneNote({ message }: { message: ChatMessage }) {
  if (message.deletedAt !== undefined) {
    return <p className="message-gone">This message was deleted.</p>;
  }
  return (
    <p className="message-gone">
      {message.error ?? "This message cannot be read from the server’s disk any more."}
    </p>
  );
}
