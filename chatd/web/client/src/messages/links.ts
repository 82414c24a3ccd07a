/** The address of a message on the page: whoever opens it sees the message and those around it. */

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

/** The place that an address names, if it is one of the page at this `url`. */
export function linkedPlace(address: string, url: string): MessagePlace | undefined {
  if (!address.startsWith(`${url}?`) || address.includes("#")) return undefined;
  const query = new URLSearchParams(address.slice(url.length));
  const [room, at, threadId] = ["room", "at", "thread"].map((key) => query.get(key));
  if (!room) return undefined;
  return {
    room,
    ...(at && /^\d{1,15}$/.test(at) ? { seq: Number(at) } : {}),
    ...(threadId ? { threadId } : {}),
  };
}
