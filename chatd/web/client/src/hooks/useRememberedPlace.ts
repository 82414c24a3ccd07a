import { useEffect, type RefObject } from "react";
import { useChat } from "./useChat";
import { usePlaces } from "./usePlaces";
import { END_PX, type Scroller } from "./useStretch";

/**
 * Remember where the reader is in a room, for the next time it is opened; does nothing for a
 * thread.
 */
export function useRememberedPlace(
  room: string | undefined,
  scroller: RefObject<HTMLDivElement | null>,
  virtualizer: Scroller,
): void {
  const places = usePlaces(useChat());
  useEffect(() => {
    const element = scroller.current;
    if (element === null || room === undefined) return;
    const note = () => {
      const top = element.scrollTop;
      const item = virtualizer.getVirtualItemForOffset(top);
      const isAtEnd = element.scrollHeight - top - element.clientHeight <= END_PX;
      if (item === undefined || isAtEnd) places.leave(room, undefined);
      else places.leave(room, { messageId: String(item.key), at: item.start - top });
    };
    element.addEventListener("scroll", note, { passive: true });
    return () => element.removeEventListener("scroll", note);
  }, [room, scroller, virtualizer, places]);
}
