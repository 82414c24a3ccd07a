/** What this browser keeps of what a user wrote: drafts, and messages that wait in the outbox. */
import { systemClock } from "../websocket/clock";
import { Database } from "../websocket/database";
import { outboxOwner } from "../websocket/outbox";
import { browserStorage, ownedPrefix } from "../websocket/storage";
import { serverUrl } from "../websocket/url";
import { DRAFTS } from "../composer/drafts";
import { forget } from "../stores/remembered";

/** How many drafts are kept of a user of this page's server. */
export function draftsKept(userId: string): number {
  return browserStorage().keys(`${ownedPrefix(serverUrl(undefined), userId)}${DRAFTS}`).length;
}

/** Another tab has signed a user out, perhaps while this one wrote down the user's rooms. */
export function forgetRooms(userId: string): void {
  forget(browserStorage(), ownedPrefix(serverUrl(undefined), userId));
}

/** Whether anything is kept of a user of this page's server. */
export async function keepsText(userId: string): Promise<boolean> {
  if (draftsKept(userId) > 0) return true;
  const url = serverUrl(undefined);
  const database = new Database(systemClock);
  try {
    return (await database.entriesOf(outboxOwner(url, userId))).entries.length > 0;
  } catch {
    return false; // a browser without a database
  } finally {
    database.close();
  }
}
