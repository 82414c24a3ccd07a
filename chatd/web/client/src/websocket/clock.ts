/** Time as a parameter: tests bring their own clock, and nothing sleeps. */

export interface Clock {
  /** Unit: ms since 1970. The user can set it back. */
  now(): number;
  /** Never goes back. Unit: ms since some moment. */
  passed(): number;
  /** Run something later; returns a function that prevents it. */
  after(ms: number, run: () => void): () => void;
}

/** The browser's own clocks. */
export const systemClock: Clock = {
  now: () => Date.now(),
  passed: () => performance.now(),
  after(ms, run) {
    const timer = setTimeout(run, ms);
    return () => clearTimeout(timer);
  },
};

/** A promise that is fulfilled after a time. */
export function pause(clock: Clock, ms: number): Promise<void> {
  return new Promise((done) => void clock.after(ms, done));
}
