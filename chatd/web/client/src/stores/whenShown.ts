import { whenIdle } from "../whenIdle";
import type { Chat } from "./chat";

/** How late what is not needed yet is read, where no room is shown. Unit: ms. */
const LATEST_MS = 8_000;

/**
 * Call something once the open room has its messages, in a quiet moment: what is not needed yet does
 * not take the line from what is. Where no messages come, it is called all the same. Returns how not
 * to call it.
 */
export function whenShown(chat: Pick<Chat, "store">, call: () => void): () => void {
  let stopIdle = () => {};
  const timer = setTimeout(due, LATEST_MS);
  const stopWatching = chat.store.subscribe(look);

  function look(): void {
    const { views, room } = chat.store.getState();
    if (views.get(room)?.isReady === true) due();
  }

  function due(): void {
    stop();
    stopIdle = whenIdle(call, LATEST_MS);
  }

  function stop(): void {
    clearTimeout(timer);
    stopWatching();
    stopIdle();
  }

  look();
  return stop;
}
