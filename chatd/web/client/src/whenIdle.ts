/**
 * Call something when the browser has nothing else to do, and within `latestMs` in any case;
 * returns a function that prevents the call.
 */
export function whenIdle(call: () => void, latestMs: number): () => void {
  if (typeof requestIdleCallback === "function") {
    const idle = requestIdleCallback(call, { timeout: latestMs });
    return () => cancelIdleCallback(idle);
  }
  const timer = setTimeout(call, latestMs / 4);
  return () => clearTimeout(timer);
}
