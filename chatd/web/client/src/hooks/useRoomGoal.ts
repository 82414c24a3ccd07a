import { useCallback, useEffect, useState } from "react";
import type { ChatState, RoomView } from "../stores/state";
import type { ChatMessage } from "../websocket/types";
import { useChat, useChatStore } from "./useChat";
import { usePlaces, type Places } from "./usePlaces";
import type { Goal } from "./useStretch";
import { useWritten } from "./useWritten";

/** How long a message that was jumped to stays marked. Unit: ms. */
const MARKED_MS = 3_000;

interface RoomGoal {
  readonly goal: Goal;
  /** The message that was just jumped to. */
  readonly marked: string | undefined;
  toEnd(): void;
}

/**
 * Where the list of a room goes: at first to the first unread message, else to where the reader
 * was, else to the end; to the end also if the user has written before there was anything to read.
 * Later it goes to each message that is asked for, and to what the user has written.
 */
export function useRoomGoal(room: string, view: RoomView, isAtEnd: boolean): RoomGoal {
  const chat = useChat();
  const places = usePlaces(chat);
  const [goal, setGoal] = useState<Goal>(() =>
    isAtEnd ? {} : firstGoal(room, view, chat.store.getState(), places),
  );
  const [marked, setMarked] = useState<string>();
  // Before the store's target is carried out, and no longer open.
  useFarUnread(room, view, isAtEnd);

  useEffect(() => {
    const look = (state: ChatState) => {
      const wish = openWish(state, room, places);
      if (wish === undefined) return;
      places.reach(wish.serial);
      setGoal({ messageId: wish.messageId });
      setMarked(wish.messageId);
    };
    look(chat.store.getState());
    return chat.store.subscribe(look);
  }, [chat, room, places]);
  useEffect(() => {
    if (marked === undefined) return;
    const timer = setTimeout(() => setMarked(undefined), MARKED_MS);
    return () => clearTimeout(timer);
  }, [marked]);

  const { hasNewer } = view;
  const jumpToEnd = useChatStore((state) => state.jumpToEnd);
  const toEnd = useCallback(() => {
    void (hasNewer ? jumpToEnd(room) : Promise.resolve()).then(() => setGoal({}));
  }, [hasNewer, jumpToEnd, room]);
  useWritten(useIsOfRoom(room), toEnd);
  return { goal, marked, toEnd };
}

/** Whether a message stands in the list of a room. */
export function useIsOfRoom(room: string): (message: ChatMessage) => boolean {
  return useCallback(
    (message) => message.connectionId === room && message.threadId === undefined,
    [room],
  );
}

/** The target that is to be brought into view, once the page holds it. */
function openWish({ target, views }: ChatState, room: string, places: Places) {
  if (target?.room !== room || !places.isOpen(target.serial)) return undefined;
  return views.get(room)?.ids.includes(target.messageId) === true ? target : undefined;
}

function firstGoal(room: string, view: RoomView, state: ChatState, places: Places): Goal {
  const wish = openWish(state, room, places);
  if (wish !== undefined) return { messageId: wish.messageId };
  const unread = firstUnreadIn(view, state);
  if (unread !== undefined) return { messageId: unread };
  const place = places.of(room);
  return place !== undefined && view.ids.includes(place.messageId) ? place : {};
}

/** The first unread message that is held: the line stands above it. */
export function firstUnreadIn(view: RoomView, { messages }: ChatState): string | undefined {
  const { firstUnread } = view;
  if (firstUnread === undefined || firstUnread < view.oldest) return undefined;
  return view.ids.find((id) => (messages.get(id)?.seq ?? 0) >= firstUnread);
}

/**
 * When a room is opened whose unread messages begin above what is held, the list goes to them,
 * unless the room was opened at another place, whose surroundings are being read or are there.
 */
function useFarUnread(room: string, view: RoomView, isAtEnd: boolean): void {
  const { firstUnread, oldest, hasOlder } = view;
  const chat = useChat();
  const places = usePlaces(chat);
  const [far] = useState(
    !isAtEnd && firstUnread !== undefined && hasOlder && firstUnread < oldest
      ? firstUnread
      : undefined,
  );
  useEffect(() => {
    const { jumpTo, views, target } = chat.store.getState();
    const isSent = target?.room === room && places.isOpen(target.serial);
    if (far === undefined || isSent || views.get(room)?.isLoading === true) return;
    void jumpTo(room, { seq: far });
  }, [chat, places, far, room]);
}
