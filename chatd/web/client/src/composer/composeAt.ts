import { MEDIUM } from "../hooks/useMedia";
import type { Chat } from "../stores/chat";
import type { ComposerPlace } from "./composing";

/** Put text into the composer of a place, and go there: the page may show another one by now. */
export function composeAt(
  chat: Chat,
  { room, threadId }: ComposerPlace,
  text: string,
  how?: "replace" | "insert",
): void {
  const ui = chat.ui.getState();
  const state = chat.store.getState();
  if (state.room !== room) void state.openRoom(room);
  if (threadId !== undefined) ui.openPanel({ kind: "thread", threadId });
  // A panel that lies over the page lies over the composer too.
  else if (window.matchMedia(MEDIUM).matches) ui.closePanel();
  ui.compose(text, how, { threadId });
}
