/** How long to wait before the next try to connect. */

const STEPS_S = [1, 2, 4, 8, 16, 30] as const;
/**
 * Spreads clients that lost a server at the same moment, so that they do not come back all at once.
 */
const JITTER_FROM = 0.8;
const JITTER_TO = 1.2;

/**
 * The wait before a try. Unit: ms.
 *
 * @param attempt the number of the try since the last connection, from 1
 * @param random a number from 0 up to 1
 * @param toldMs the least time that the server said to wait
 */
export function delayMs(attempt: number, random: number, toldMs = 0): number {
  const step = STEPS_S[Math.min(Math.max(attempt, 1), STEPS_S.length) - 1] ?? 30;
  const jitter = JITTER_FROM + (JITTER_TO - JITTER_FROM) * random;
  return Math.round(Math.max(step * 1_000 * jitter, toldMs));
}
