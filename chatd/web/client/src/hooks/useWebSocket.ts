/** A chat that lives as long as the component that asks for it. */
import { useEffect, useState } from "react";
import type { Chat, ChatOptions } from "../stores/chat";
import { createChat } from "../stores/createChat";

/**
 * Makes a chat with the options of the first render, starts it when the component is there, and
 * stops it when it goes. Another server or another user is another component: give it another `key`.
 */
export function useWebSocket(options: ChatOptions): Chat {
  const [chat] = useState(() => createChat(options));
  useEffect(() => {
    chat.start();
    return () => chat.stop();
  }, [chat]);
  return chat;
}
