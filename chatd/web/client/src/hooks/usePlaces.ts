import { useState } from "react";
import type { Chat } from "../stores/chat";

/** Where the reader stood in a room: a message, and how far below the top it stood. */
export interface ReadingPlace {
  messageId: string;
  /** Unit: px. */
  at: number;
}

/** Where the reader left each room, and which of the store's targets was carried out last. */
export class Places {
  readonly #byRoom = new Map<string, ReadingPlace>();
  #target = 0;

  /** Undefined if the reader left the room at its end, or has never seen it. */
  of(room: string): ReadingPlace | undefined {
    return this.#byRoom.get(room);
  }

  leave(room: string, place: ReadingPlace | undefined): void {
    if (place === undefined) this.#byRoom.delete(room);
    else this.#byRoom.set(room, place);
  }

  /** Whether a target of the store, by its serial, is still to be carried out. */
  isOpen(serial: number): boolean {
    return serial !== this.#target;
  }

  reach(serial: number): void {
    this.#target = serial;
  }
}

/** The places live as long as the chat, and so longer than the list of a room. */
const PLACES = new WeakMap<Chat, Places>();

export function usePlaces(chat: Chat): Places {
  const [places] = useState(() => {
    const known = PLACES.get(chat) ?? new Places();
    PLACES.set(chat, known);
    return known;
  });
  return places;
}
