/** The chat that the components around a component show. */
import { createContext, useContext, type ReactNode } from "react";
import { useStore } from "zustand";
import type { Chat } from "../stores/chat";
import type { ChatState } from "../stores/state";
import type { UiState } from "../stores/ui";

const ChatContext = createContext<Chat | undefined>(undefined);

/** Whether the server makes tokens itself, so that whoever runs it can name the rooms in one. */
export const MintsTokens = createContext(false);

export function ChatProvider({ chat, children }: { chat: Chat; children: ReactNode }) {
  return <ChatContext.Provider value={chat}>{children}</ChatContext.Provider>;
}

/** The chat itself. Throws outside a `ChatProvider`. */
export function useChat(): Chat {
  const chat = useContext(ChatContext);
  if (chat === undefined) throw new Error("Put this component into a ChatProvider.");
  return chat;
}

/** A part of the chat's state; the component renders when that part changes. */
export function useChatStore<T>(select: (state: ChatState) => T): T {
  return useStore(useChat().store, select);
}

/** A part of what the page shows. */
export function useUi<T>(select: (state: UiState) => T): T {
  return useStore(useChat().ui, select);
}

/** Whether the user reads a room and may write nothing there. */
export function useIsViewer(room: string): boolean {
  return useChatStore(
    (state) => state.rooms.find((one) => one.connectionId === room)?.role === "viewer",
  );
}
