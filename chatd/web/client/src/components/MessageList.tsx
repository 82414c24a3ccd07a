import { useEffect, useMemo, useState } from "react";
import { counted } from "../format";
import { useChat, useChatStore, useUi } from "../hooks/useChat";
import { firstUnreadIn, useIsOfRoom, useRoomGoal } from "../hooks/useRoomGoal";
import type { Goal } from "../hooks/useStretch";
import { useWritten } from "../hooks/useWritten";
import type { RoomView } from "../stores/state";
import type { Phase } from "../websocket/types";
import { EmptyRoom } from "./EmptyRoom";
import { MessageStretch } from "./MessageStretch";

/** The messages of a room, as a virtual list. */
export function MessageList({ room }: { room: string }) {
  return room === "" ? <EmptyRoom room={room} /> : <RoomList key={room} room={room} />;
}

function RoomList({ room }: { room: string }) {
  const view = useChatStore((state) => state.views.get(room));
  const [hasWritten, setHasWritten] = useState(false);
  const dropEdited = useUi((state) => state.dropEdited);
  useEffect(() => dropEdited, [dropEdited]); // when the room is left
  if (view?.isReady !== true) {
    return <UnreadRoom room={room} view={view} written={() => setHasWritten(true)} />;
  }
  if (view.ids.length === 0) return <EmptyRoom room={room} />;
  return <RoomMessages room={room} view={view} isAtEnd={hasWritten} />;
}

const HERE: Goal = {};
const nothing = () => {};

interface UnreadRoomProps {
  room: string;
  view: RoomView | undefined;
  /** The user has written something here meanwhile. */
  written(): void;
}

/** A room whose messages were not read yet: what the user has written waits in it all the same. */
function UnreadRoom({ room, view, written }: UnreadRoomProps) {
  useWritten(useIsOfRoom(room), written);
  const isAway = useChatStore(({ connection: { phase } }) => AWAY.has(phase));
  const words = isAway
    ? "The messages of this room come once there is a connection."
    : "Reading the messages…";
  const isEmpty = view === undefined || view.ids.length === 0;
  return (
    <div className="message-unread-room">
      <p className="message-waiting soft">{words}</p>
      {!isEmpty && (
        <MessageStretch
          label="Your waiting messages"
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

interface RoomMessagesProps {
  room: string;
  view: RoomView;
  /** Whether the list begins at its end, even if something above it is unread. */
  isAtEnd: boolean;
}

function RoomMessages({ room, view, isAtEnd }: RoomMessagesProps) {
  const loadOlder = useChatStore((state) => state.loadOlder);
  const loadNewer = useChatStore((state) => state.loadNewer);
  const title = useChatStore(
    (state) => state.rooms.find((one) => one.connectionId === room)?.title ?? room,
  );
  const unread = useChatStore(
    (state) => state.rooms.find((one) => one.connectionId === room)?.unread ?? 0,
  );
  const { goal, marked, toEnd } = useRoomGoal(room, view, isAtEnd);
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
