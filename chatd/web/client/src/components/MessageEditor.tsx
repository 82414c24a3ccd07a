import { useEffect, useRef, useState } from "react";
import { useChat, useChatStore } from "../hooks/useChat";
import { useKeyDown } from "../hooks/useKeyDown";
import { TOUCH, useMedia } from "../hooks/useMedia";
import { textOf } from "../hooks/useMessageActions";
import { useRowMemory, type EditDraft } from "../hooks/useRowMemory";
import { isDatabase } from "../messages/authors";
import type { Chat } from "../stores/chat";
import type { ChatMessage } from "../websocket/types";

/** One of the user’s own messages while it is being edited in its place. */
export function MessageEditor({ message }: { message: ChatMessage }) {
  const chat = useChat();
  const memory = useRowMemory();
  const isTouch = useMedia(TOUCH);
  const { messageId } = message;
  const limit = useChatStore((state) => state.limits?.contentChars);
  const box = useRef<HTMLTextAreaElement>(null);
  const [draft] = useState<EditDraft>(
    () => memory.drafts.get(messageId) ?? { text: textOf(message), rev: message.rev ?? 0 },
  );
  const [text, setText] = useState(draft.text);
  const [isSaving, setSaving] = useState(false);
  const [failure, setFailure] = useState<string>();
  const refusal = refusalOf(text, limit);
  const isChanged = (message.rev ?? 0) !== draft.rev && textOf(message) !== text;

  useEffect(() => {
    const element = box.current;
    // A row that comes back into sight takes no focus.
    if (memory.editing(messageId)) {
      element?.focus({ preventScroll: true });
      element?.setSelectionRange(element.value.length, element.value.length);
    }
    return () => {
      if (chat.ui.getState().editing !== messageId) memory.editing(undefined);
    };
  }, [chat, memory, messageId]);

  function write(written: string) {
    memory.drafts.set(messageId, { text: written, rev: draft.rev });
    setText(written);
    setFailure(undefined);
  }

  function leave() {
    memory.drafts.delete(messageId);
    memory.editing(undefined);
    const row = box.current?.closest<HTMLElement>("[data-message-id]");
    chat.ui.getState().stopEditing();
    row?.focus({ preventScroll: true });
  }

  async function save() {
    if (isSaving || refusal !== undefined) return;
    if (text === textOf(message)) {
      leave();
      return;
    }
    setSaving(true);
    const isSaved = await chat.store.getState().editMessage(messageId, text);
    setSaving(false);
    if (isSaved) {
      memory.drafts.delete(messageId);
      if (chat.ui.getState().editing === messageId) leave();
      if (isAnswered(chat, messageId)) chat.ui.getState().questionEdited(messageId);
    } else setFailure("It was not saved. Your text is still here; try again.");
  }

  useKeyDown(box, (event) => {
    if (event.key === "Escape") leave();
    else if (event.key === "Enter" && !event.shiftKey && !event.altKey) void save();
    else return false;
    return true;
  });

  return (
    <div className="message-editor">
      <textarea
        ref={box}
        aria-label="Edit the message"
        value={text}
        readOnly={isSaving}
        rows={Math.min(text.split("\n").length + 1, 12)}
        onChange={(event) => write(event.target.value)}
      />
      {isChanged && <ChangedMeanwhile text={textOf(message)} take={write} />}
      <p className="message-editor-foot">
        <button
          type="button"
          className="primary"
          disabled={isSaving || refusal !== undefined}
          onClick={() => void save()}
        >
          Save
        </button>
        <button type="button" className="plain" onClick={leave}>
          Cancel
        </button>
        <span
          className={refusal === undefined && failure === undefined ? "soft" : "bad"}
          role="status"
        >
          {failure ?? refusal ?? (isTouch ? "" : "Enter saves, Esc leaves it as it was.")}
        </span>
      </p>
    </div>
  );
}

/** Whether a message is a question: an answer to it has come, or comes. */
function isAnswered(chat: Chat, messageId: string): boolean {
  if (chat.answers.byQuestion(messageId) !== undefined) return true;
  const { messages } = chat.store.getState();
  return [...messages.values()].some(
    ({ replyTo, userId }) => replyTo === messageId && isDatabase(userId),
  );
}

function ChangedMeanwhile({ text, take }: { text: string; take(text: string): void }) {
  return (
    <div className="message-editor-changed" role="alert">
      <p>This message was changed meanwhile, in another place. It now says:</p>
      <p className="message-text">{text}</p>
      <button type="button" className="plain" onClick={() => take(text)}>
        Take that text
      </button>
    </div>
  );
}

/** Why a text cannot be saved. */
function refusalOf(text: string, limit: number | undefined): string | undefined {
  if (text.trim() === "") return "A message cannot be empty; delete it instead.";
  if (limit === undefined || text.length <= limit) return undefined;
  const over = Array.from(text).length - limit;
  return over > 0 ? `Too long by ${over}.` : undefined;
}
