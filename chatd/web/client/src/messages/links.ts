/** The address of a message on the page: who opens it sees the message with what surrounds it. */

export interface MessagePlace {
  readonly room: string;
  readonly seq?: number;
  readonly threadId?: string;
}

/** @example messageLink("https://chat.example/", {room: "demo", seq: 12}) ends with "?room=demo&at=12" */
export function messageLink(url: string, { room, seq, threadId }: MessagePlace): string {
  const link = new URL(url);
  link.hash = "";
  link.search = "";
  link.searchParams.set("room", room);
  if (seq !== undefined) link.searchParams.set("at", String(seq));
  if (threadId !== undefined) link.searchParams.set("thread", threadId);
  return link.href;
}
