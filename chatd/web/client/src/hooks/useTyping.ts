import { useEffect, useMemo } from "react";
import { Typing } from "../composer/pacing";
import { perChat } from "../composer/perChat";
import { useChat } from "./useChat";

/**
 * When the starts of the last minute were sent: the server counts them for a user, in all rooms
 * together.
 */
const startsOf = perChat((): number[] => []);

/** Tells the room that the user is typing, as often as the server wants to hear it. */
export function useTyping(room: string): Pick<Typing, "typed" | "stop"> {
  const chat = useChat();
  const typing = useMemo(
    () =>
      new Typing({
        now: () => performance.now(),
        later(call, ms) {
          const timer = setTimeout(call, ms);
          return () => clearTimeout(timer);
        },
        tell: (isTyping) => chat.store.getState().setTyping(room, isTyping),
        perMinute: () => chat.store.getState().limits?.typingPerMinute ?? 0,
        starts: startsOf(chat),
      }),
    [chat, room],
  );
  useEffect(() => () => typing.stop(), [typing]);
  return typing;
}
