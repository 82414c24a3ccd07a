/**
 * Up to where the user has read each room. The marker never goes back. The server keeps it for all
 * devices; for an older server this browser does. Between two words of the server what comes live is
 * counted here.
 */
import type { Clock } from "../websocket/clock";
import type { KeyStore } from "../websocket/storage";
import type { ChatMessage, Room } from "../websocket/types";
import type { ReadMarker, RoomStanding } from "../websocket/wire.gen";
import { throttle, type Throttle } from "./throttle";

/** Between two words to the server. Unit: ms. */
export const READ_EVERY_MS = 500;

/** A room after a message has come that may be new. */
export function roomAfter(room: Room, message: ChatMessage, me: string | undefined): Room {
  const { seq } = message;
  if (seq === undefined || seq <= room.lastSeq) return room;
  const isUnread = message.userId !== me && seq > room.readSeq && message.deletedAt === undefined;
  const isMention = isUnread && me !== undefined && message.mentions?.includes(me) === true;
  return {
    ...room,
    lastSeq: seq,
    unread: room.unread + (isUnread ? 1 : 0),
    mentions: room.mentions + (isMention ? 1 : 0),
  };
}

/** A room after an unread message was deleted. */
export function roomAfterDeletion(room: Room, message: ChatMessage, me: string | undefined): Room {
  const wasUnread = (message.seq ?? 0) > room.readSeq && message.userId !== me;
  if (!wasUnread || message.deletedAt !== undefined) return room;
  const wasMention = me !== undefined && message.mentions?.includes(me) === true;
  return {
    ...room,
    unread: Math.max(0, room.unread - 1),
    mentions: Math.max(0, room.mentions - (wasMention ? 1 : 0)),
  };
}

/**
 * A room that was read up to a seq, as far as this browser knows.
 *
 * @param held the messages that it holds of the room
 */
export function roomReadTo(
  room: Room,
  seq: number,
  held: Iterable<ChatMessage>,
  me: string | undefined,
): Room {
  if (seq <= room.readSeq) return room;
  if (seq >= room.lastSeq) return { ...room, readSeq: seq, unread: 0, mentions: 0 };
  let unread = 0;
  let mentions = 0;
  for (const message of held) {
    const isRead = message.seq === undefined || message.seq <= room.readSeq || message.seq > seq;
    if (isRead || message.userId === me || message.deletedAt !== undefined) continue;
    unread += 1;
    if (me !== undefined && message.mentions?.includes(me) === true) mentions += 1;
  }
  return {
    ...room,
    readSeq: seq,
    unread: Math.max(0, room.unread - unread),
    mentions: Math.max(0, room.mentions - mentions),
  };
}

/** A room as the server says that it was read, here or on another device. */
export function roomTold(room: Room, told: ReadMarker): Room {
  if (told.readSeq < room.readSeq) return room; // this browser has read further meanwhile
  return { ...room, readSeq: told.readSeq, unread: told.unread, mentions: told.mentions };
}

/** A room as `connection:status` names it. An older server tells less. */
export function roomOf(standing: Partial<RoomStanding> & { connectionId: string }): Room {
  const { connectionId, title, database, role } = standing;
  const lastSeq = numberOf(standing.lastSeq);
  return {
    connectionId,
    lastSeq,
    lastRev: numberOf(standing.lastRev),
    readSeq: standing.readSeq ?? lastSeq,
    unread: numberOf(standing.unread),
    mentions: numberOf(standing.mentions),
    running: 0,
    ...(title === undefined ? {} : { title }),
    ...(database === undefined ? {} : { database }),
    ...(role === undefined ? {} : { role }),
  };
}

function numberOf(value: number | undefined): number {
  return value ?? 0;
}

/** The markers of an older server, which has none: in this browser. */
export class LocalMarkers {
  constructor(
    private readonly store: KeyStore,
    private readonly prefix: string,
  ) {}

  /** The room with the marker of this browser; a room that is new here counts as the server says. */
  applied(room: Room): Room {
    const kept = Number(this.store.read(this.#key(room.connectionId)));
    const isKept = Number.isSafeInteger(kept) && kept > 0 && kept <= room.lastSeq;
    const readSeq = isKept ? kept : Math.max(0, room.lastSeq - room.unread);
    return { ...room, readSeq, unread: room.lastSeq - readSeq };
  }

  keep(room: string, seq: number): void {
    this.store.write(this.#key(room), String(seq));
  }

  #key(room: string): string {
    return `${this.prefix}read.${encodeURIComponent(room)}`;
  }
}

/** What is to be told, by room, and told once in a while. */
export class Told<T> {
  #waiting = new Map<string, T>();
  readonly #throttles = new Map<string, Throttle>();

  /** @param tell tells the server; false where that is not possible now */
  constructor(
    private readonly clock: Clock,
    private readonly tell: (room: string, what: T) => boolean,
  ) {}

  put(room: string, what: T): void {
    this.#waiting.set(room, what);
    let call = this.#throttles.get(room);
    if (call === undefined) {
      call = throttle(this.clock, READ_EVERY_MS, () => this.#flush(room));
      this.#throttles.set(room, call);
    }
    call();
  }

  /** Tell what could not be told before. */
  retry(): void {
    for (const room of this.#waiting.keys()) this.#throttles.get(room)?.();
  }

  /** Forget all. */
  clear(): void {
    for (const call of this.#throttles.values()) call.stop();
    this.#throttles.clear();
    this.#waiting.clear();
  }

  #flush(room: string): void {
    const what = this.#waiting.get(room);
    if (what !== undefined && this.tell(room, what)) this.#waiting.delete(room);
  }
}
