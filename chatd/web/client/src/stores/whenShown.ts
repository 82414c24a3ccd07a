import { whenIdle } from "../whenIdle";
import type { Chat } from "./chat";

/** After so long, parts that are not needed yet are read even if no room is shown. Unit: ms. */
const LATEST_MS = 8_000;

/**
 * Call something once the open room has its messages, in a quiet moment: so what is not needed yet
 * does not delay what is. If no messages come, it is called all the same. Returns a function that
 * prevents the call.
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
