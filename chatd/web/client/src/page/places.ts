/** The place in the chat that the address of the page names: `?room=demo&at=123&thread=ID`. */
import { useEffect } from "react";
import type { Chat } from "../stores/chat";
import { useChat } from "../hooks/useChat";

export interface PlaceInChat {
  room?: string;
  /** The seq of a message. */
  at?: number;
  /** The id of a message, if its seq is not known. */
  message?: string;
  thread?: string;
}

export function placeOf(search: string): PlaceInChat {
  const query = new URLSearchParams(search);
  const [room, at, message, thread] = ["room", "at", "message", "thread"].map((key) =>
    query.get(key),
  );
  const seq = at && /^\d{1,15}$/.test(at) ? Number(at) : undefined;
  return {
    ...(room ? { room } : {}),
    ...(seq === undefined ? {} : { at: seq }),
    ...(message ? { message } : {}),
    ...(thread ? { thread } : {}),
  };
}

export function searchOf({ room, at, message, thread }: PlaceInChat): string {
  const query = new URLSearchParams();
  if (room !== undefined) query.set("room", room);
  if (at !== undefined) query.set("at", String(at));
  if (message !== undefined) query.set("message", message);
  if (thread !== undefined) query.set("thread", thread);
  const text = query.toString();
  return text === "" ? "" : `?${text}`;
}

/** Keep the address and the chat in step: a room or thread is a place, and back and forward work. */
export function Places() {
  const chat = useChat();
  useEffect(() => {
    const stopWriting = writePlaces(chat);
    function onBack() {
      goTo(chat, placeOf(location.search));
    }
    window.addEventListener("popstate", onBack);
    return () => {
      stopWriting();
      window.removeEventListener("popstate", onBack);
    };
  }, [chat]);
  return null;
}

function writePlaces(chat: Chat): () => void {
  function write() {
    const { room, rooms, messages } = chat.store.getState();
    if (room === "") return;
    const { panel } = chat.ui.getState();
    const threadId = panel?.kind === "thread" ? panel.threadId : undefined;
    // The panel of a thread stays where another room is opened.
    const isHere = (messages.get(threadId ?? "")?.connectionId ?? room) === room;
    const place = { room, ...(threadId !== undefined && isHere ? { thread: threadId } : {}) };
    const known = placeOf(location.search);
    if (known.room === place.room && known.thread === place.thread) return;
    // The browser's "back" skips addresses that show nothing of their own.
    const isKept = rooms.some((one) => one.connectionId === known.room);
    const link = location.pathname + searchOf(place);
    if (!isKept) history.replaceState(null, "", link);
    else history.pushState(null, "", link);
  }
  const stops = [chat.store.subscribe(write), chat.ui.subscribe(write)];
  return () => {
    for (const stop of stops) stop();
  };
}

function goTo(chat: Chat, { room, at, message, thread }: PlaceInChat): void {
  const state = chat.store.getState();
  const ui = chat.ui.getState();
  const place = {
    ...(at === undefined ? {} : { seq: at }),
    ...(message === undefined ? {} : { messageId: message }),
  };
  if (room !== undefined) {
    const isElsewhere = room !== state.room || at !== undefined || message !== undefined;
    if (isElsewhere) void state.openRoom(room, place);
  }
  if (thread !== undefined) ui.openPanel({ kind: "thread", threadId: thread });
  else if (ui.panel?.kind === "thread") ui.closePanel();
}

/** Open the thread that the page's first address names. */
export function useFirstThread(chat: Chat, thread: string | undefined): void {
  useEffect(() => {
    if (thread !== undefined) chat.ui.getState().openPanel({ kind: "thread", threadId: thread });
  }, [chat, thread]);
}
