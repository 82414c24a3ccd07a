import { modesOf } from "../answers/view";
import { askAgain } from "../composer/asking";
import { useChat, useUi } from "../hooks/useChat";
import { useIsLocked } from "../hooks/useIsLocked";
import { textOf } from "../hooks/useMessageActions";
import type { ChatMessage } from "../websocket/types";
import { AskAgainButton } from "./AskAgainButton";
import { Icon } from "./Icon";

/** Below a question that its author has just edited: the edit alone does not ask it again. */
export function EditedNote({ message }: { message: ChatMessage }) {
  const chat = useChat();
  const drop = useUi((state) => state.dropEdited);
  const { connectionId: room, context, threadId } = message;
  const isLocked = useIsLocked(room);
  function ask() {
    drop();
    void askAgain(chat, textOf(message), {
      room,
      ...(context === undefined ? {} : { context }),
      ...(threadId === undefined ? {} : { threadId }),
    });
  }
  return (
    <div className="message-hint" role="status">
      <span>An edited question is not asked again.</span>
      <AskAgainButton
        label="Ask again"
        className="plain"
        mayWrite={modesOf(message, undefined, isLocked).mayWrite}
        ask={ask}
      />
      <button type="button" aria-label="Close this note" onClick={drop}>
        <Icon name="close" />
      </button>
    </div>
  );
}
