import { useCallback, useEffect, useMemo, useRef, useState } from "react";
import { counted } from "../format";
import { useChatStore } from "../hooks/useChat";
import type { Goal } from "../hooks/useStretch";
import { useWritten } from "../hooks/useWritten";
import type { ThreadView } from "../stores/state";
import type { ChatMessage } from "../websocket/types";
import { Composer } from "./Composer";
import { MessageStretch } from "./MessageStretch";

/** A thread, in the panel: its opener, its replies, and a composer of its own. */
export function ThreadPanel({ threadId }: { threadId: string }) {
  const openRoom = useChatStore((state) => state.room);
  const openThread = useChatStore((state) => state.openThread);
  const closeThread = useChatStore((state) => state.closeThread);
  const thread = useChatStore((state) =>
    state.thread?.threadId === threadId ? state.thread : undefined,
  );
  // A user who signs in begins without an open thread.
  const me = useChatStore((state) => state.me?.userId);
  useEffect(() => {
    void openThread(threadId);
    return closeThread;
    // oxlint-disable-next-line react/exhaustive-effect-dependencies
  }, [openThread, closeThread, threadId, me]);
  const box = useRef<HTMLDivElement>(null);
  useEffect(() => {
    box.current?.querySelector<HTMLElement>("[data-focus-first]")?.focus();
  }, []);
  return (
    <div className="thread">
      <ThreadContent threadId={threadId} thread={thread} retry={() => void openThread(threadId)} />
      <div ref={box}>
        <Composer room={thread?.root?.connectionId ?? openRoom} threadId={threadId} />
      </div>
    </div>
  );
}

interface ThreadContentProps {
  threadId: string;
  thread: ThreadView | undefined;
  retry(): void;
}

function ThreadContent({ threadId, thread, retry }: ThreadContentProps) {
  const isHeld = thread !== undefined && (thread.root !== undefined || thread.ids.length > 0);
  return (
    <>
      {isHeld && <ThreadMessages key={threadId} thread={thread} />}
      {thread?.failure !== undefined ? (
        <div className="thread-failure">
          <span className="bad">{thread.failure}</span>
          <button type="button" className="plain" onClick={retry}>
            Try again
          </button>
        </div>
      ) : (
        !isHeld && <p className="message-waiting soft">Reading the thread…</p>
      )}
    </>
  );
}

function ThreadMessages({ thread }: { thread: ThreadView }) {
  const loadOlder = useChatStore((state) => state.loadOlderInThread);
  const rootId = thread.root?.messageId;
  const told = useChatStore(
    (state) => state.messages.get(thread.threadId)?.replies?.count ?? thread.root?.replies?.count,
  );
  const ids = useMemo(
    () => (rootId === undefined ? thread.ids : [rootId, ...thread.ids]),
    [rootId, thread.ids],
  );
  const { goal, toEnd } = useThreadGoal(thread.threadId);
  const firstReply = thread.ids[0];
  const count = thread.hasOlder ? told : thread.ids.length;
  const line = useMemo(
    () =>
      firstReply === undefined || rootId === undefined
        ? undefined
        : {
            messageId: firstReply,
            words: count === undefined ? "Replies" : counted(count, "reply", "replies"),
            look: "replies" as const,
          },
    [firstReply, rootId, count],
  );
  const older = useCallback(() => void loadOlder(), [loadOlder]);
  return (
    <MessageStretch
      label="Messages of the thread"
      ids={ids}
      goal={goal}
      hasOlder={thread.hasOlder}
      hasNewer={false}
      isLoading={thread.isLoading}
      loadOlder={older}
      loadNewer={nothing}
      toEnd={toEnd}
      setSize={-1}
      line={line}
    />
  );
}

function nothing(): void {}

/** A thread opens at its end, and goes there with each reply that the user has just written. */
function useThreadGoal(threadId: string): { goal: Goal; toEnd(): void } {
  const [goal, setGoal] = useState<Goal>({});
  const toEnd = useCallback(() => setGoal({}), []);
  const isReply = useCallback((message: ChatMessage) => message.threadId === threadId, [threadId]);
  useWritten(isReply, toEnd);
  return { goal, toEnd };
}
