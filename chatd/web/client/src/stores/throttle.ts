/**
 * At most one call in each interval: the first at once, then the last of those that came meanwhile.
 */
import type { Clock } from "../websocket/clock";

export interface Throttle {
  (): void;
  stop(): void;
}

export function throttle(clock: Clock, ms: number, act: () => void): Throttle {
  let isWaiting = false;
  let isWanted = false;
  let stopTimer: (() => void) | undefined;

  function call(): void {
    if (isWaiting) {
      isWanted = true;
      return;
    }
    isWaiting = true;
    stopTimer = clock.after(ms, () => {
      isWaiting = false;
      if (!isWanted) return;
      isWanted = false;
      call();
    });
    act();
  }

  return Object.assign(call, {
    stop() {
      stopTimer?.();
      isWaiting = false;
      isWanted = false;
    },
  });
}
