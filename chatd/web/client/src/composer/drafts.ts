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

  /** Keep a draft, or forget it if it is empty; returns whether a reload of the page finds it. */
  write(place: DraftPlace, text: string): boolean {
    if (text !== "") return this.storage.write(keyOf(place), text);
    this.storage.remove(keyOf(place));
    return true;
  }
}

/** All keys of drafts begin with this, after the prefix of a user. */
export const DRAFTS = "draft ";

/** No two places have the same key, whatever is in their names. */
function keyOf({ url, userId, room, threadId }: DraftPlace): string {
  return `${ownedPrefix(url, userId)}${DRAFTS}${JSON.stringify([room, threadId ?? null])}`;
}

/** Texts that want the same box, joined so that none is lost. */
export function joined(...texts: readonly string[]): string {
  return texts.filter((text) => text !== "").join("\n");
}
