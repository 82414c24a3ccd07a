import { useEffect } from "react";
import { useChatStore } from "../hooks/useChat";

/** The title of the page: how much is new, and which room is open. */
export function TitleBadge({ title }: { title: string }) {
  const mentions = useChatStore((state) =>
    state.rooms.reduce((sum, room) => sum + room.mentions, 0),
  );
  const unread = useChatStore((state) => state.rooms.reduce((sum, room) => sum + room.unread, 0));
  const name = useChatStore(
    (state) => state.rooms.find((one) => one.connectionId === state.room)?.title ?? state.room,
  );
  const words = titleOf(title, name, unread, mentions);
  useEffect(() => {
    document.title = words;
  }, [words]);
  return null;
}

/** @example titleOf("chatd", "sample", 3, 0) is "(3) sample · chatd" */
export function titleOf(title: string, room: string, unread: number, mentions: number): string {
  const place = room === "" ? title : `${room} · ${title}`;
  if (mentions > 0) return `(@${mentions}) ${place}`;
  return unread > 0 ? `(${unread >= 1_000 ? "999+" : unread}) ${place}` : place;
}
