/** Where a message is written: to a room, or to a thread of it. */
export function Composer(_: { room: string; threadId?: string }) {
  return null;
}
