import { useEffect } from "react";
import { useChat } from "../hooks/useChat";
import { isDatabase } from "../messages/authors";
import type { Chat } from "../stores/chat";
import type { ChatState } from "../stores/state";
import type { ChatMessage, Room } from "../websocket/types";
import type { Notify } from "./preferences";

const CHARS_MAX = 140;

export interface Tidings {
  room: string;
  title: string;
  body: string;
}

/** Notifies of what happens while nobody looks at the page, as the reader has chosen. */
export function Notifications({ notify }: { notify: Notify }) {
  const chat = useChat();
  useEffect(() => {
    if (notify === "nothing") return;
    return chat.store.subscribe((now, before) => {
      if (document.visibilityState === "visible" && document.hasFocus()) return;
      for (const tidings of tidingsOf(now, before, notify)) show(chat, tidings);
    });
  }, [chat, notify]);
  return null;
}

/** What to notify of after the step from one state to the next. */
export function tidingsOf(now: ChatState, before: ChatState, notify: Notify): Tidings[] {
  if (now.rooms === before.rooms || !before.isConnected) return [];
  const old = new Map(before.rooms.map((room) => [room.connectionId, room]));
  return now.rooms.flatMap((room) => {
    const was = old.get(room.connectionId);
    if (was === undefined || room.lastSeq <= was.lastSeq) return [];
    const isMention = room.mentions > was.mentions;
    const isOwnAnswer = answersMe(now, room);
    if (!isMention && !isOwnAnswer && !(notify === "everything" && room.unread > was.unread))
      return [];
    return [tidingsOfRoom(now, room, isMention)];
  });
}

function tidingsOfRoom(state: ChatState, room: Room, isMention: boolean): Tidings {
  const name = room.title ?? room.connectionId;
  const newest = newestOf(state, room);
  return {
    room: room.connectionId,
    title: isMention ? `You are mentioned in ${name}` : name,
    body:
      newest === undefined
        ? "There is something new."
        : `${authorOf(state, newest)}: ${newest.content.slice(0, CHARS_MAX)}`,
  };
}

function authorOf({ names }: ChatState, { userId, name }: ChatMessage): string {
  return isDatabase(userId) ? "Answer" : (name ?? names.get(userId) ?? userId);
}

/** The newest message of a room, if this browser holds it. */
function newestOf(state: ChatState, room: Room) {
  const id = state.views
    .get(room.connectionId)
    ?.ids.findLast((one) => state.messages.get(one)?.seq === room.lastSeq);
  return id === undefined ? undefined : state.messages.get(id);
}

function answersMe(state: ChatState, room: Room): boolean {
  const replyTo = newestOf(state, room)?.replyTo;
  return replyTo !== undefined && state.messages.get(replyTo)?.userId === state.me?.userId;
}

function show(chat: Chat, { room, title, body }: Tidings): void {
  try {
    const shown = new Notification(title, { body, tag: `chatd ${room}` });
    shown.addEventListener("click", () => {
      window.focus();
      void chat.store.getState().openRoom(room);
      shown.close();
    });
  } catch {
    // Some browsers let only service workers tell; the title of the page still does.
  }
}
