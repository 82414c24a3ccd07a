import { useCallback, useSyncExternalStore } from "react";

/**
 * The time; the component renders again every `everyMs`. The time stands still while that is
 * undefined.
 */
export function useNow(everyMs: number | undefined): number {
  const subscribe = useCallback(
    (changed: () => void) => {
      if (everyMs === undefined) return () => {};
      const timer = setInterval(changed, everyMs);
      return () => clearInterval(timer);
    },
    [everyMs],
  );
  // A value that stays the same between two ticks, as React asks for it more often.
  const step = everyMs ?? 1_000;
  const now = () => Math.floor(Date.now() / step) * step;
  return useSyncExternalStore(subscribe, now, now);
}
