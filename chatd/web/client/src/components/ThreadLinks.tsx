import { counted } from "../format";
import { useChatStore, useUi } from "../hooks/useChat";
import { useMessage } from "../hooks/useMessage";
import { isDatabase } from "../messages/authors";
import { lineOf } from "../messages/parts";
import type { ChatMessage, ThreadReplies } from "../websocket/types";
import { AuthorPicture } from "./AuthorPicture";
import { MessageIcon } from "./MessageIcon";

const QUOTED_CHARS = 80;

/** Below a message that opened a thread: how many replies it has, and from whom. */
export function RepliesButton({ threadId, replies }: { threadId: string; replies: ThreadReplies }) {
  const open = useUi((state) => state.openPanel);
  const names = useChatStore((state) => state.names);
  const people = replies.users.map((userId) => ({
    userId,
    name: isDatabase(userId) ? "the database" : (names.get(userId) ?? userId),
  }));
  const words = counted(replies.count, "reply", "replies");
  return (
    <button
      type="button"
      className="message-replies"
      onClick={() => open({ kind: "thread", threadId })}
    >
      {people.map(({ userId, name }) => (
        <AuthorPicture key={userId} userId={userId} name={name} isSmall />
      ))}
      <span>{words}</span>
      <span className="sr">
        , from {people.map(({ name }) => name).join(", ")}. Open the thread.
      </span>
    </button>
  );
}

/** Above a message that replies in a thread: what it replies to, as far as that is known. */
export function InThreadLink({ threadId }: { threadId: string }) {
  const open = useUi((state) => state.openPanel);
  const root = useMessage(threadId);
  return (
    <button
      type="button"
      className="message-in-thread"
      onClick={() => open({ kind: "thread", threadId })}
    >
      <MessageIcon name="reply" />
      <span>{wordsOf(root)}</span>
    </button>
  );
}

function wordsOf(root: ChatMessage | undefined): string {
  const line = lineOf(root?.content ?? "");
  if (line === "") return "In a thread";
  const quoted = line.length > QUOTED_CHARS ? `${line.slice(0, QUOTED_CHARS)}…` : line;
  return `In the thread of “${quoted}”`;
}
