import { memo } from "react";
import { useChatStore, useUi } from "../hooks/useChat";
import { TOUCH, useMedia } from "../hooks/useMedia";
import { count, counted } from "../format";
import type { Room } from "../websocket/types";
import { Icon } from "./Icon";

/** All rooms of the user, in the server's order; `opened` is called at each choice. */
export function RoomList({ opened }: { opened?: () => void }) {
  const rooms = useChatStore((state) => state.rooms);
  const current = useChatStore((state) => state.room);
  const waiting = useChatStore((state) => state.waiting);
  const openRoom = useChatStore((state) => state.openRoom);
  const openDialog = useUi((state) => state.openDialog);
  const isTouch = useMedia(TOUCH);
  return (
    <>
      <button type="button" className="rooms-goto plain" onClick={() => openDialog("switch")}>
        <Icon name="search" />
        <span>Go to…</span>
        {!isTouch && <kbd>Ctrl K</kbd>}
      </button>
      <h2 className="rooms-title">Rooms</h2>
      <ul className="rooms-list">
        {rooms.map((room) => (
          <RoomLink
            key={room.connectionId}
            room={room}
            isCurrent={room.connectionId === current}
            waiting={waiting.get(room.connectionId) ?? 0}
            open={() => {
              void openRoom(room.connectionId);
              opened?.();
            }}
          />
        ))}
      </ul>
      {rooms.length === 0 && <NoRooms />}
    </>
  );
}

interface RoomLinkProps {
  room: Room;
  isCurrent: boolean;
  waiting: number;
  open(): void;
}

const RoomLink = memo(function RoomLink({ room, isCurrent, waiting, open }: RoomLinkProps) {
  const isNew = room.unread > 0 && !isCurrent;
  return (
    <li>
      <button
        type="button"
        className="rooms-link"
        aria-current={isCurrent ? "page" : undefined}
        data-unread={isNew || undefined}
        onClick={open}
      >
        <span className="rooms-hash" aria-hidden="true">
          #
        </span>
        <span className="rooms-name">{room.title ?? room.connectionId}</span>
        {room.running > 0 && (
          <span className="rooms-running">
            <span className="sr">an answer is under way</span>
          </span>
        )}
        {waiting > 0 && (
          <span className="rooms-waiting" title={`${counted(waiting, "message")} to be sent`}>
            <Icon name="clock" />
            <span className="sr">{counted(waiting, "message")} to be sent</span>
          </span>
        )}
        {room.mentions > 0 && (
          <span className="rooms-badge" data-kind="mention">
            @{count(room.mentions)}
            <span className="sr"> {room.mentions === 1 ? "mention" : "mentions"} of you</span>
          </span>
        )}
        {isNew && (
          <span className="rooms-badge">
            {room.unread >= 1_000 ? "999+" : count(room.unread)}
            <span className="sr"> unread</span>
          </span>
        )}
      </button>
    </li>
  );
});

function NoRooms() {
  const isKnown = useChatStore((state) => state.me !== undefined);
  if (!isKnown) return null;
  return (
    <p className="rooms-none soft">
      Your sign-in names no room. Ask whoever runs this server to give you one.
    </p>
  );
}
