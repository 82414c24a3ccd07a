/** The user's own earlier messages, taken back into the box: arrow up and down, and a search. */
import type { ChatMessage } from "../websocket/types";

/** How many are held. */
export const RECALLED_MAX = 500;
/** How many a search finds. */
export const FOUND_MAX = 50;

/** A walk through the texts, newest first; `before` is what stood in the box. */
export interface Recall {
  readonly texts: readonly string[];
  readonly at: number;
  readonly before: string;
}

/** What the user has written, newest first, each text once, as it was written. */
export function ownTexts(
  messages: readonly (ChatMessage | undefined)[],
  userId: string | undefined,
): string[] {
  const texts = new Set<string>();
  for (const message of messages.toReversed()) {
    if (message === undefined || message.userId !== userId) continue;
    if (message.deletedAt !== undefined) continue;
    const text = message.raw ?? message.content;
    if (text !== "") texts.add(text);
    if (texts.size === RECALLED_MAX) break;
  }
  return [...texts];
}

/** Begin at the newest one; undefined if there is none. */
export function begin(texts: readonly string[], before: string): Recall | undefined {
  return texts.length === 0 ? undefined : { texts, at: 0, before };
}

/** One further back; the oldest one stays. */
export function older(recall: Recall): Recall {
  return { ...recall, at: Math.min(recall.at + 1, recall.texts.length - 1) };
}

/** One newer; undefined after the newest one, when the box gets back what stood in it. */
export function newer(recall: Recall): Recall | undefined {
  return recall.at === 0 ? undefined : { ...recall, at: recall.at - 1 };
}

export function recalled(recall: Recall): string {
  return recall.texts[recall.at] ?? "";
}

/** Those that hold all the words, newest first. */
export function found(texts: readonly string[], query: string): string[] {
  const words = query.toLocaleLowerCase().split(/\s+/).filter(Boolean);
  const hits: string[] = [];
  for (const text of texts) {
    const lower = text.toLocaleLowerCase();
    if (words.every((word) => lower.includes(word))) hits.push(text);
    if (hits.length === FOUND_MAX) break;
  }
  return hits;
}
