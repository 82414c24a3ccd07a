import { useChat, useChatStore } from "../hooks/useChat";
import { textOf } from "../hooks/useMessageActions";
import type { ChatMessage, Hint } from "../websocket/types";
import { HINTS } from "../websocket/wire.gen";
import { ConfirmButton } from "./ConfirmButton";

/** What is said below a message that was not sent, and what can be done about it. */
export function FailedNote({ message }: { message: ChatMessage }) {
  const chat = useChat();
  const retry = useChatStore((state) => state.retryMessage);
  const discard = useChatStore((state) => state.discardMessage);
  const { messageId, refusal } = message;
  async function edit() {
    const text = await discard(messageId);
    chat.ui.getState().compose(text ?? textOf(message));
  }
  return (
    <div className="message-failed">
      <span>{refusal?.message ?? "This message was not sent."}</span>
      {refusal?.retryable !== false && (
        <button type="button" className="plain" onClick={() => void retry(messageId)}>
          Try again
        </button>
      )}
      <button type="button" className="plain" onClick={() => void edit()}>
        Edit
      </button>
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
  if (words === null) return null;
  async function run() {
    const { connectionId: room, threadId } = message;
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
      {hint.code === "near_sql" && (
        <button type="button" className="plain" onClick={() => void run()}>
          Run it
        </button>
      )}
    </div>
  );
}

/** What stands in place of a message that cannot be read any more. */
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
