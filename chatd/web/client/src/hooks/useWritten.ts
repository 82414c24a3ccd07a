import { useEffect } from "react";
import type { ChatState } from "../stores/state";
import type { ChatMessage } from "../websocket/types";
import { useChat } from "./useChat";

/**
 * Calls `written` when the user has just written a message of this kind. The message may come from
 * another of the user's tabs: only the tab in use is told.
 */
export function useWritten(isMeant: (message: ChatMessage) => boolean, written: () => void): void {
  const chat = useChat();
  useEffect(() => {
    let newest = newestWritten(chat.store.getState(), isMeant);
    return chat.store.subscribe((now, before) => {
      if (now.pendingMessages === before.pendingMessages) return;
      const last = newest;
      newest = newestWritten(now, isMeant);
      if (newest !== undefined && newest !== last && document.hasFocus()) written();
    });
  }, [chat, isMeant, written]);
}

/** The newest message of this kind that this browser still sends. */
function newestWritten(
  state: ChatState,
  isMeant: (message: ChatMessage) => boolean,
): string | undefined {
  let newest: string | undefined;
  for (const id of state.pendingMessages) {
    const message = state.messages.get(id);
    if (message !== undefined && isMeant(message)) newest = id;
  }
  return newest;
}
