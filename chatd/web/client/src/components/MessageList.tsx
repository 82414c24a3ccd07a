/** The messages of a room, as a virtual list. */
export function MessageList(_: { room: string }) {
  return null;
}
