import type { Chat } from "../stores/chat";

/**
 * What the composers of one chat share, made when it is first asked for: a page can have two chats,
 * and a chat two composers, its room's and a thread's.
 */
export function perChat<T>(make: (chat: Chat) => T): (chat: Chat) => T {
  const made = new WeakMap<Chat, T>();
  return (chat) => {
    const known = made.get(chat);
    if (known !== undefined) return known;
    const fresh = make(chat);
    made.set(chat, fresh);
    return fresh;
  };
}
