import { useState } from "react";
import type { Chat } from "../stores/chat";

/** Where the reader stood in a room: a message, and how far below the top it stood. */
export interface ReadingPlace {
  messageId: string;
  /** Unit: px. */
  at: number;
}

/** Where the reader left each room, and which wish of the store was carried out last. */
export class Places {
  readonly #byRoom = new Map<string, ReadingPlace>();
  #target = 0;

  /** Undefined where the room was left at its end, or never seen. */
  of(room: string): ReadingPlace | undefined {
    return this.#byRoom.get(room);
  }

  leave(room: string, place: ReadingPlace | undefined): void {
    if (place === undefined) this.#byRoom.delete(room);
    else this.#byRoom.set(room, place);
  }

  /** Whether a wish of the store, by its serial, is still to be carried out. */
  isOpen(serial: number): boolean {
    return serial !== this.#target;
  }

  reach(serial: number): void {
    this.#target = serial;
  }
}

/** They live as long as the chat does, and so longer than the list of a room. */
const PLACES = new WeakMap<Chat, Places>();

export function usePlaces(chat: Chat): Places {
  const [places] = useState(() => {
    const known = PLACES.get(chat) ?? new Places();
    PLACES.set(chat, known);
    return known;
  });
  return places;
}
