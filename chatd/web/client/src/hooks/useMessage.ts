import { isErased } from "../messages/authors";
import type { ChatState } from "../stores/state";
import type { ChatMessage } from "../websocket/types";
import { useChatStore } from "./useChat";

/** A message that the page holds. The opener of a thread may be held by the thread alone. */
export function messageIn(state: ChatState, messageId: string): ChatMessage | undefined {
  const held = state.messages.get(messageId);
  if (held !== undefined) return held;
  const root = state.thread?.root;
  return root?.messageId === messageId ? root : undefined;
}

export function useMessage(messageId: string | undefined): ChatMessage | undefined {
  return useChatStore((state) =>
    messageId === undefined ? undefined : messageIn(state, messageId),
  );
}

/** What a user is called here; for a database, the name of its room. */
export function useName(userId: string, said?: string): string {
  const known = useChatStore((state) => said ?? state.names.get(userId) ?? userId);
  return isErased(userId) ? "Erased user" : known;
}
