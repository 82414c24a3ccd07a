/**
 * What a page knows before the server speaks: the rooms of the last visit, and which was open. So a
 * reload without a network shows where the user was, and the first CONNECT asks for only one room.
 */
import type { KeyStore } from "../websocket/storage";
import type { Room } from "../websocket/types";
import { roomOf } from "./reads";
import type { ChatState, Me } from "./state";

/** The most rooms that are remembered. */
const ROOMS_MAX = 200;

export interface Remembered {
  me: Me;
  rooms: Room[];
  room: string;
}

/** Undefined if nothing is known about the user here. */
export function recall(store: KeyStore, prefix: string, userId: string): Remembered | undefined {
  const text = store.read(`${prefix}rooms`);
  if (text === undefined) return undefined;
  try {
    const kept: unknown = JSON.parse(text);
    if (typeof kept !== "object" || kept === null) return undefined;
    const { name, room, rooms } = kept as Record<string, unknown>;
    if (!Array.isArray(rooms)) return undefined;
    return {
      me: { userId, ...(typeof name === "string" ? { name } : {}) },
      room: typeof room === "string" ? room : "",
      rooms: rooms.slice(0, ROOMS_MAX).flatMap(roomFrom),
    };
  } catch {
    return undefined;
  }
}

export function remember(store: KeyStore, prefix: string, state: ChatState): void {
  const rooms = state.rooms
    .slice(0, ROOMS_MAX)
    .map(({ connectionId, title, lastSeq, readSeq }) => ({
      connectionId,
      title,
      lastSeq,
      readSeq,
    }));
  store.write(`${prefix}rooms`, JSON.stringify({ name: state.me?.name, room: state.room, rooms }));
}

/** The user has signed out. */
export function forget(store: KeyStore, prefix: string): void {
  store.remove(`${prefix}rooms`);
}

function roomFrom(kept: unknown): Room[] {
  if (typeof kept !== "object" || kept === null || !("connectionId" in kept)) return [];
  const { connectionId } = kept;
  if (typeof connectionId !== "string") return [];
  const title = "title" in kept && typeof kept.title === "string" ? kept.title : undefined;
  return [roomOf({ connectionId, ...(title === undefined ? {} : { title }) })];
}
