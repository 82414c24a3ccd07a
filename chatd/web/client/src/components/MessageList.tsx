import { useMemo, useState } from "react";
import { counted } from "../format";
import { useChat, useChatStore } from "../hooks/useChat";
import { firstUnreadIn, useRoomGoal } from "../hooks/useRoomGoal";
import type { Goal } from "../hooks/useStretch";
import type { RoomView } from "../stores/state";
import type { Phase } from "../websocket/types";
import { EmptyRoom } from "./EmptyRoom";
import { MessageStretch } from "./MessageStretch";

/** The messages of a room, as a virtual list. */
export function MessageList({ room }: { room: string }) {
  const view = useChatStore((state) => state.views.get(room));
  if (room === "") return <EmptyRoom room={room} />;
  if (view?.isReady !== true) return <UnreadRoom room={room} view={view} />;
  if (view.ids.length === 0) return <EmptyRoom room={room} />;
  return <RoomMessages key={room} room={room} view={view} />;
}

const HERE: Goal = {};
const nothing = () => {};

/** A room of which nothing was read yet: what the user has written waits in it all the same. */
function UnreadRoom({ room, view }: { room: string; view: RoomView | undefined }) {
  const isAway = useChatStore(({ connection: { phase } }) => AWAY.has(phase));
  const words = isAway
    ? "The messages of this room come when there is a connection."
    : "Reading the messages…";
  const isEmpty = view === undefined || view.ids.length === 0;
  return (
    <div className="message-unread-room">
      <p className="message-waiting soft">{words}</p>
      {!isEmpty && (
        <MessageStretch
          label="Your messages that wait"
          ids={view.ids}
          goal={HERE}
          hasOlder={false}
          hasNewer={false}
          isLoading={!isAway}
          loadOlder={nothing}
          loadNewer={nothing}
          toEnd={nothing}
          setSize={-1}
          room={room}
        />
      )}
    </div>
  );
}

const AWAY: ReadonlySet<Phase> = new Set(["reconnecting", "offline"]);

function RoomMessages({ room, view }: { room: string; view: RoomView }) {
  const loadOlder = useChatStore((state) => state.loadOlder);
  const loadNewer = useChatStore((state) => state.loadNewer);
  const title = useChatStore(
    (state) => state.rooms.find((one) => one.connectionId === room)?.title ?? room,
  );
  const unread = useChatStore(
    (state) => state.rooms.find((one) => one.connectionId === room)?.unread ?? 0,
  );
  const { goal, marked, toEnd } = useRoomGoal(room, view);
  const line = useUnreadLine(view, unread);
  const older = useMemo(() => () => void loadOlder(room), [loadOlder, room]);
  const newer = useMemo(() => () => void loadNewer(room), [loadNewer, room]);
  return (
    <MessageStretch
      label={`Messages of ${title}`}
      ids={view.ids}
      goal={goal}
      hasOlder={view.hasOlder}
      hasNewer={view.hasNewer}
      isLoading={view.isLoading}
      loadOlder={older}
      loadNewer={newer}
      toEnd={toEnd}
      setSize={view.lastSeq}
      line={line}
      marked={marked}
      unreadBelow={Math.max(unread, view.newBelow)}
      room={room}
    />
  );
}

/** The line above the first message that was unread when the room was opened. */
function useUnreadLine(view: RoomView, unread: number) {
  const chat = useChat();
  const [unreadAtOpening] = useState(unread);
  const messageId = firstUnreadIn(view, chat.store.getState());
  return useMemo(
    () =>
      messageId === undefined
        ? undefined
        : {
            messageId,
            words: unreadAtOpening > 0 ? counted(unreadAtOpening, "new message") : "New messages",
            look: "new" as const,
          },
    [messageId, unreadAtOpening],
  );
}
