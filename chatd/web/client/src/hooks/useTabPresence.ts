import { useEffect } from "react";
import type { Chat } from "../stores/chat";
import type { ChatState } from "../stores/state";

/** If nobody looks at a tab for this long, its user counts as away. Unit: ms. */
const AWAY_MS = 5 * 60_000;

/** Whether the server shows the user as away. */
function isToldAway({ presence, me }: ChatState): boolean {
  return presence.get(me?.userId ?? "") === "away";
}

/**
 * Declare the user away when the tab has been hidden for long, and online when it is seen again, or
 * when another tab has declared the user away meanwhile.
 */
export function useTabPresence(chat: Chat): void {
  useEffect(() => {
    let timer: ReturnType<typeof setTimeout> | undefined;
    let isAway = false;
    function look() {
      clearTimeout(timer);
      if (document.visibilityState === "hidden") {
        timer = setTimeout(() => {
          isAway = true;
          chat.store.getState().setPresence("away");
        }, AWAY_MS);
      } else if (isAway || isToldAway(chat.store.getState())) {
        isAway = false;
        chat.store.getState().setPresence("online");
      }
    }
    const unsubscribe = chat.store.subscribe((state, before) => {
      if (state.presence !== before.presence && document.visibilityState !== "hidden") look();
    });
    look();
    document.addEventListener("visibilitychange", look);
    return () => {
      unsubscribe();
      clearTimeout(timer);
      document.removeEventListener("visibilitychange", look);
    };
  }, [chat]);
}
