import { useEffect, useRef, type RefObject } from "react";
import { useChat } from "./useChat";
import { END_PX, type Scroller } from "./useStretch";

/** A list that is only passed through on the way to another room is not read. Unit: ms. */
const LOOKED_AT_MS = 500;

interface ReadingOptions {
  /** Absent where nothing is noted: in a thread. */
  readonly room: string | undefined;
  readonly ids: readonly string[];
  readonly scroller: RefObject<HTMLDivElement | null>;
  readonly virtualizer: Scroller;
}

/**
 * Mark messages as read: those that the reader has scrolled past, and all when the end is in view.
 * Only while the tab is seen and has the focus, and never because a room was opened.
 */
export function useReading({ room, ids, scroller, virtualizer }: ReadingOptions): void {
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
    const look = () => {
      timer = undefined;
      if (!isLookedAt()) return;
      const state = chat.store.getState();
      const last = lastPassed(element, virtualizer, held.current.length, isWhole(room));
      const newest = newestStored(last);
      if (newest === undefined || newest.seq <= marked) return;
      marked = newest.seq;
      if (newest.seq > readSeqOf(room)) state.markAsRead(newest.messageId);
    };
    const isWhole = (name: string) => chat.store.getState().views.get(name)?.hasNewer === false;
    const readSeqOf = (name: string) =>
      chat.store.getState().rooms.find((one) => one.connectionId === name)?.readSeq ?? 0;
    const newestStored = (from: number) => {
      const { messages } = chat.store.getState();
      for (let at = from; at >= 0; at--) {
        const message = messages.get(held.current[at] ?? "");
        if (message?.seq !== undefined) return { messageId: message.messageId, seq: message.seq };
      }
      return undefined;
    };
    const soon = () => {
      timer ??= setTimeout(look, LOOKED_AT_MS);
    };
    soon();
    const stop = listen(element, soon);
    const unsubscribe = chat.store.subscribe((now, before) => {
      if (now.views.get(room) !== before.views.get(room)) soon();
    });
    return () => {
      stop();
      unsubscribe();
      clearTimeout(timer);
    };
  }, [chat, room, scroller, virtualizer]);
}

function isLookedAt(): boolean {
  return document.visibilityState === "visible" && document.hasFocus();
}

/** The place of the last message that counts as read; -1 for none. */
function lastPassed(
  element: HTMLElement,
  virtualizer: Scroller,
  count: number,
  isWhole: boolean,
): number {
  const below = element.scrollHeight - element.scrollTop - element.clientHeight;
  if (isWhole && below <= END_PX) return count - 1;
  return (virtualizer.getVirtualItemForOffset(element.scrollTop)?.index ?? 0) - 1;
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
