import { useCallback, useEffect, useLayoutEffect, useRef, useState, type RefObject } from "react";
import { Drafts, joined, type DraftPlace } from "../composer/drafts";
import type { Field } from "../composer/field";
import { perChat } from "../composer/perChat";
import { browserStorage } from "../websocket/storage";
import { useChat, useChatStore } from "./useChat";

/** How long after a change it is kept. Unit: ms. */
export const DRAFT_AFTER_MS = 200;

const draftsOf = perChat(() => new Drafts(browserStorage()));

export interface DraftKeeper {
  /** The text has changed; it is kept soon. */
  save(text: string): void;
  /** Keep it now. */
  flush(): void;
  /** A text was sent, and its box is gone: remove it from the beginning of what is kept. */
  takeAway(text: string): void;
  /** The browser does not keep it: a reload of the page loses it. */
  isUnkept: boolean;
}

/** Keeps the text of a box in the browser, and puts it in again: by user, room and thread. */
export function useDraft(
  field: RefObject<Field | null>,
  room: string,
  threadId: string | undefined,
): DraftKeeper {
  const chat = useChat();
  const userId = useChatStore((state) => state.me?.userId);
  const drafts = draftsOf(chat);
  const place = useRef<DraftPlace | undefined>(undefined);
  const unsaved = useRef<string | undefined>(undefined);
  const timer = useRef<ReturnType<typeof setTimeout> | undefined>(undefined);
  const [isUnkept, setUnkept] = useState(false);

  const flush = useCallback(() => {
    clearTimeout(timer.current);
    const text = unsaved.current;
    if (text === undefined || place.current === undefined) return;
    unsaved.current = undefined;
    setUnkept(!drafts.write(place.current, text));
  }, [drafts]);

  const save = useCallback(
    (text: string) => {
      unsaved.current = text;
      clearTimeout(timer.current);
      timer.current = setTimeout(flush, DRAFT_AFTER_MS);
    },
    [flush],
  );

  const takeAway = useCallback(
    (text: string) => {
      if (place.current === undefined) return;
      const kept = drafts.read(place.current);
      if (joined(text, kept.slice(text.length + 1)) !== kept) return;
      drafts.write(place.current, kept.slice(text.length + 1));
    },
    [drafts],
  );

  useLayoutEffect(() => {
    if (userId === undefined) {
      // The user has signed out: the text is kept, and nobody else gets it.
      if (place.current !== undefined) field.current?.setText("");
      place.current = undefined;
      unsaved.current = undefined;
      return undefined;
    }
    const next = { url: chat.url, userId, room, ...(threadId === undefined ? {} : { threadId }) };
    // Before the server has said who is writing, the text is nobody's; then it joins that user's
    // own.
    const typed = place.current === undefined ? (field.current?.text() ?? "") : "";
    place.current = next;
    const kept = drafts.read(next);
    field.current?.setText(kept === typed ? kept : joined(kept, typed));
    return flush;
  }, [chat, drafts, field, flush, room, threadId, userId]);

  useEffect(() => {
    addEventListener("pagehide", flush);
    return () => removeEventListener("pagehide", flush);
  }, [flush]);

  return { save, flush, takeAway, isUnkept };
}
