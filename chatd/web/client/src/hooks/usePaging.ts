import { useEffect, useRef } from "react";
import { useChatStore } from "./useChat";

/** The next page is requested when so few messages are left above or below. Unit: messages. */
const NEAR = 15;

interface PagingOptions {
  readonly ids: readonly string[];
  /** What is drawn: the places of the first and the last message; -1 if nothing is. */
  readonly first: number;
  readonly last: number;
  readonly hasOlder: boolean;
  readonly hasNewer: boolean;
  readonly isLoading: boolean;
  loadOlder(): void;
  loadNewer(): void;
}

/**
 * Ask for the next page before the reader reaches an end of what is held. After a failure it asks
 * again once there is a connection again, or when the reader comes back; never in a loop.
 */
export function usePaging(options: PagingOptions): void {
  const { ids, first, last, hasOlder, hasNewer, isLoading, loadOlder, loadNewer } = options;
  const isConnected = useChatStore((state) => state.isConnected);
  const asked = useRef<{ above?: string | undefined; below?: string | undefined }>({});
  useEffect(() => {
    if (!isConnected) asked.current = {};
  }, [isConnected]);
  useEffect(() => {
    if (first < 0) return;
    const isNearTop = first < NEAR;
    const isNearEnd = last >= ids.length - NEAR;
    if (!isNearTop) asked.current.above = undefined;
    if (!isNearEnd) asked.current.below = undefined;
    if (isLoading || !isConnected) return;
    if (isNearTop && hasOlder && asked.current.above !== ids[0]) {
      asked.current.above = ids[0];
      loadOlder();
    } else if (isNearEnd && hasNewer && asked.current.below !== ids.at(-1)) {
      asked.current.below = ids.at(-1);
      loadNewer();
    }
  }, [ids, first, last, hasOlder, hasNewer, isLoading, isConnected, loadOlder, loadNewer]);
}
