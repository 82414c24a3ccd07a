/** A thread, in the panel: its opener, its replies, and a composer of its own. */
export function ThreadPanel(_: { threadId: string }) {
  return null;
}
