/**
 * What was written and not sent, kept in the browser: by server, user, room and thread, so that no
 * draft shows where it does not belong. A draft goes when it is sent or deleted, and not before.
 */
import { ownedPrefix, type KeyStore } from "../websocket/storage";

export interface DraftPlace {
  /** Where the server is. */
  url: string;
  userId: string;
  room: string;
  /** The thread; absent for the room itself. */
  threadId?: string;
}

export class Drafts {
  constructor(private readonly storage: KeyStore) {}

  read(place: DraftPlace): string {
    return this.storage.read(keyOf(place)) ?? "";
  }

  /** Keep a draft, an empty one by forgetting it: whether a reload of the page finds it. */
  write(place: DraftPlace, text: string): boolean {
    if (text !== "") return this.storage.write(keyOf(place), text);
    this.storage.remove(keyOf(place));
    return true;
  }
}

/** No two places have one key, whatever their names hold. */
function keyOf({ url, userId, room, threadId }: DraftPlace): string {
  return `${ownedPrefix(url, userId)}draft ${JSON.stringify([room, threadId ?? null])}`;
}

/** Two texts that want the same box, neither of them lost. */
export function joined(...texts: readonly string[]): string {
  return texts.filter((text) => text !== "").join("\n");
}
