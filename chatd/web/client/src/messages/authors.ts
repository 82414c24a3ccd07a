/** Who wrote a message, as people are shown it, and which messages stand together. */
import { dayNumber } from "../format";
import type { ChatMessage } from "../websocket/types";

/** Messages of one author within this time stand below one name. Unit: ms. */
const TOGETHER_MS = 5 * 60_000;
/** How many looks an author’s picture can have; the styles name each one. */
const LOOKS = 6;

/** Whether a database writes under this id. */
export function isDatabase(userId: string): boolean {
  return userId.startsWith("db:");
}

/** Whether the server itself writes under this id, for an administrator. */
export function isSystem(userId: string): boolean {
  return userId === "chatd:system";
}

/** Whether this id stands for a user whose messages were erased. */
export function isErased(userId: string): boolean {
  return userId.startsWith("chatd:erased:");
}

/** Whether a message begins another day than the one before it. */
export function beginsDay(message: ChatMessage, before: ChatMessage | undefined): boolean {
  return before === undefined || dayNumber(before.timestamp) !== dayNumber(message.timestamp);
}

/** Whether a message goes on below the name of the one before it. */
export function goesOn(message: ChatMessage, before: ChatMessage | undefined): boolean {
  return (
    before !== undefined &&
    !beginsDay(message, before) &&
    before.userId === message.userId &&
    before.threadId === message.threadId &&
    before.deletedAt === undefined &&
    !isDatabase(message.userId) &&
    Math.abs(message.timestamp - before.timestamp) < TOGETHER_MS
  );
}

/** One or two letters that stand for a name. @example initialsOf("Ada Lovelace") is "AL" */
export function initialsOf(name: string): string {
  const words = name.split(/[^\p{L}\p{N}]+/u).filter((word) => word !== "");
  const letters = [words[0], words.length > 1 ? words.at(-1) : undefined].map(
    (word) => Array.from(word ?? "")[0] ?? "",
  );
  return letters.join("").toLocaleUpperCase() || "?";
}

/** Which look an author’s picture has: always the same for one user. */
export function lookOf(userId: string): number {
  let sum = 0;
  for (let at = 0; at < userId.length; at++) sum = (sum * 31 + userId.charCodeAt(at)) >>> 0;
  return sum % LOOKS;
}
