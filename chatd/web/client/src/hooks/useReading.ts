import { useEffect, useRef, type RefObject } from "react";
import type { ChatState } from "../stores/state";
import { useChat } from "./useChat";
import { END_PX, type Goal, type Scroller } from "./useStretch";

/** A list that the user only passes through on the way to another room is not read. Unit: ms. */
const LOOKED_AT_MS = 500;

interface ReadingOptions {
  /** Absent in a thread, where nothing is marked as read. */
  readonly room: string | undefined;
  readonly ids: readonly string[];
  /** Where the list was last sent: what it skips on the way was not seen. */
  readonly goal: Goal;
  readonly scroller: RefObject<HTMLDivElement | null>;
  readonly virtualizer: Scroller;
}

/**
 * Mark messages as read: all when the end of the room is in view, and those that the reader has
 * scrolled past from the first unread one on. Only while the tab is seen and has the focus, and
 * never merely because a room was opened or the list has jumped to a message.
 */
export function useReading({ room, ids, goal, scroller, virtualizer }: ReadingOptions): void {
  const chat = useChat();
  const held = useRef(ids);
  useEffect(() => {
    held.current = ids;
  });
  useEffect(() => {
    const element = scroller.current;
    if (element === null || room === undefined) return;
    let timer: ReturnType<typeof setTimeout> | undefined;
    let marked = 0;
    // The oldest message that stood at the top since the list was sent somewhere.
    let seenFrom = Infinity;
    const look = () => {
      timer = undefined;
      if (!isLookedAt()) return;
      const state = chat.store.getState();
      // The page that is loading may hold what the reader wants to see: the list only waits here.
      if (state.views.get(room)?.isLoading === true) return;
      const isAtEnd = isEndOf(element, state, room);
      const last = isAtEnd ? held.current.length - 1 : topOf(element, virtualizer) - 1;
      const read = storedAt(state, held.current, last);
      if (read === undefined || read.seq <= Math.max(marked, readSeqOf(state, room))) return;
      if (!isAtEnd && seenFrom > firstUnreadOf(state, room)) return;
      marked = read.seq;
      state.markAsRead(read.messageId);
    };
    const note = () => {
      const top = topOf(element, virtualizer);
      const seq = storedAt(chat.store.getState(), held.current, top)?.seq;
      seenFrom = Math.min(seenFrom, seq ?? Infinity);
      timer ??= setTimeout(look, LOOKED_AT_MS);
    };
    note();
    const stop = listen(element, note);
    const unsubscribe = chat.store.subscribe((now, before) => {
      if (now.views.get(room) !== before.views.get(room)) note();
    });
    return () => {
      stop();
      unsubscribe();
      clearTimeout(timer);
    };
    // It begins anew with each goal: what the list skips on the way there was not seen.
    // oxlint-disable-next-line react/exhaustive-effect-dependencies
  }, [chat, room, goal, scroller, virtualizer]);
}

function isLookedAt(): boolean {
  return document.visibilityState === "visible" && document.hasFocus();
}

/** Whether the end of the room is in view, and not only the end of what is held. */
function isEndOf(element: HTMLElement, { views }: ChatState, room: string): boolean {
  const below = element.scrollHeight - element.scrollTop - element.clientHeight;
  return below <= END_PX && views.get(room)?.hasNewer === false;
}

/** The place of the message at the top. */
function topOf(element: HTMLElement, virtualizer: Scroller): number {
  return virtualizer.getVirtualItemForOffset(element.scrollTop)?.index ?? 0;
}

/** The message at a place, or the nearest above it that the server has stored. */
function storedAt({ messages }: ChatState, ids: readonly string[], from: number) {
  for (let at = from; at >= 0; at--) {
    const message = messages.get(ids[at] ?? "");
    if (message?.seq !== undefined) return { messageId: message.messageId, seq: message.seq };
  }
  return undefined;
}

function readSeqOf({ rooms }: ChatState, room: string): number {
  return rooms.find((one) => one.connectionId === room)?.readSeq ?? 0;
}

/** The first message that can be unread: older ones may be gone from the server. */
function firstUnreadOf(state: ChatState, room: string): number {
  return Math.max(readSeqOf(state, room) + 1, state.views.get(room)?.firstSeq ?? 0);
}

function listen(element: HTMLElement, heard: () => void): () => void {
  element.addEventListener("scroll", heard, { passive: true });
  window.addEventListener("focus", heard);
  document.addEventListener("visibilitychange", heard);
  return () => {
    element.removeEventListener("scroll", heard);
    window.removeEventListener("focus", heard);
    document.removeEventListener("visibilitychange", heard);
  };
}
