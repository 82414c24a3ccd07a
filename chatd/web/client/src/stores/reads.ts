/**
 * How far the user has read each room. The marker never goes back. The server keeps it for all
 * devices; with an older server this browser keeps it. Between two reports of the server, messages
 * that come live are counted here.
 */
import type { Clock } from "../websocket/clock";
import type { KeyStore } from "../websocket/storage";
import type { ChatMessage, Room } from "../websocket/types";
import type { ReadMarker, RoomStanding } from "../websocket/wire.gen";
import { throttle, type Throttle } from "./throttle";

/** The time between two reports to the server. Unit: ms. */
export const READ_EVERY_MS = 500;

/** A room after the arrival of a message that may be new. */
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
 * A room after it was read up to a seq, as far as this browser knows.
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

/** A room after the server has said how far it was read, here or on another device. */
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

/** Markers in this browser, for an older server that keeps none. */
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

/** Values to tell the server, by room, and not too often. */
export class Told<T> {
  #waiting = new Map<string, T>();
  readonly #throttles = new Map<string, Throttle>();

  /** @param tell tells the server; false if that is not possible now */
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
