/**
 * What changes a message after it was stored: edits, deletion, reactions, replies. Each change has
 * a `rev`, without gaps in its room; a message carries the rev of its newest change, so an old
 * change that comes late changes nothing.
 */
import type { ChatMessage, FoundMessage, Reaction, ThreadReplies } from "../websocket/types";
import type { MessageDeleted, MessageEdited, MessageReaction } from "../websocket/wire.gen";

/** How many writers of a thread an opener names. */
const REPLIERS_MAX = 3;

export function isNews(message: ChatMessage, rev: number): boolean {
  return rev > (message.rev ?? 0);
}

export function edited(message: ChatMessage, change: MessageEdited): ChatMessage {
  if (!isNews(message, change.rev)) return message;
  const { raw: _raw, mentions: _mentions, ...rest } = message;
  return {
    ...rest,
    content: change.content,
    editedAt: change.editedAt,
    rev: change.rev,
    ...(change.raw === undefined ? {} : { raw: change.raw }),
    ...(change.mentions === undefined ? {} : { mentions: change.mentions }),
  };
}

/** The place of a deleted message stays; everything that it said goes. */
export function deleted(message: ChatMessage, change: MessageDeleted): ChatMessage {
  if (!isNews(message, change.rev)) return message;
  const {
    raw: _raw,
    mentions: _mentions,
    context: _context,
    reactions: _reactions,
    answer: _answer,
    hint: _hint,
    ...rest
  } = message;
  const place = { ...rest, content: "", deletedAt: change.deletedAt, rev: change.rev };
  if (change.userId === undefined) return place;
  const { name: _name, ...nameless } = place;
  return { ...nameless, userId: change.userId };
}

export function reacted(message: ChatMessage, change: MessageReaction): ChatMessage {
  if (!isNews(message, change.rev)) return message;
  const { reactions: before = [], ...rest } = message;
  const reactions = change.on
    ? added(before, change.emoji, change.userId)
    : removed(before, change.emoji, change.userId);
  return { ...rest, rev: change.rev, ...(reactions.length === 0 ? {} : { reactions }) };
}

function added(reactions: readonly Reaction[], emoji: string, userId: string): Reaction[] {
  if (!reactions.some((reaction) => reaction.emoji === emoji)) {
    return [...reactions, { emoji, users: [userId] }];
  }
  return reactions.map((reaction) =>
    reaction.emoji === emoji && !reaction.users.includes(userId)
      ? { ...reaction, users: [...reaction.users, userId] }
      : reaction,
  );
}

function removed(reactions: readonly Reaction[], emoji: string, userId: string): Reaction[] {
  return reactions
    .map((reaction) =>
      reaction.emoji === emoji
        ? { ...reaction, users: reaction.users.filter((user) => user !== userId) }
        : reaction,
    )
    .filter((reaction) => reaction.users.length > 0);
}

/** An opener with one more reply. A reply that it has already counted changes nothing. */
export function replied(opener: ChatMessage, reply: { seq: number; userId: string }): ChatMessage {
  const before: ThreadReplies = opener.replies ?? { count: 0, lastSeq: 0, users: [] };
  if (reply.seq <= before.lastSeq) return opener;
  const users = [reply.userId, ...before.users.filter((user) => user !== reply.userId)];
  return {
    ...opener,
    replies: {
      count: before.count + 1,
      lastSeq: reply.seq,
      users: users.slice(0, REPLIERS_MAX),
    },
  };
}

/**
 * One message from two copies: the newer one, with what only the other knows. A page can be older
 * than a change that came by itself, and hold fewer rows of an answer.
 */
export function merged(held: ChatMessage, come: ChatMessage): ChatMessage {
  if (held.seq !== undefined && (come.rev ?? 0) < (held.rev ?? 0)) return held;
  const { refusal: _refusal, ...next } = come;
  if (held.hint !== undefined && next.hint === undefined) next.hint = held.hint;
  if (held.replies !== undefined && (next.replies?.lastSeq ?? 0) < held.replies.lastSeq) {
    next.replies = held.replies;
  }
  if (held.status === "delivered" && next.status === "sent") next.status = "delivered";
  const heldRows = held.answer?.rows.length ?? 0;
  if (
    next.answer !== undefined &&
    held.answer !== undefined &&
    heldRows > next.answer.rows.length
  ) {
    next.answer = held.answer;
  }
  return next;
}

/** Hits of a search after a change: a deleted message is no longer one. */
export function hitsAfter(
  hits: readonly FoundMessage[],
  messageId: string,
  change: { content?: string; isDeleted?: boolean },
): readonly FoundMessage[] {
  if (!hits.some((hit) => hit.message.messageId === messageId)) return hits;
  if (change.isDeleted === true) return hits.filter((hit) => hit.message.messageId !== messageId);
  return hits.map((hit) =>
    hit.message.messageId === messageId && change.content !== undefined
      ? { ...hit, message: { ...hit.message, content: change.content } }
      : hit,
  );
}
