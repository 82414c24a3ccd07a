/**
 * The stretch of a room that the page holds. It has no holes: a message that comes before its
 * predecessors is left out, and what is missing is asked for. Each function takes the view and the
 * caller's own copy of the messages, changes the copy, and returns the new view.
 */
import type { ChatMessage } from "../websocket/types";
import { merged } from "./changes";
import { WINDOW_MAX, type RoomView } from "./state";

/** How many messages go at once, so that not every new message trims. */
export const TRIM_STEP = 500;

export type Messages = Map<string, ChatMessage>;

/** A page of a room, as the server gave it. */
export interface Page {
  messages: readonly ChatMessage[];
  hasMore: boolean;
  firstSeq: number;
  lastSeq: number;
}

/** Whether something other than a window holds a message, such as an open thread. */
export type IsHeld = (messageId: string) => boolean;

export function emptyView(): RoomView {
  return {
    mode: "tail",
    ids: [],
    oldest: 0,
    newest: 0,
    firstSeq: 0,
    lastSeq: 0,
    hasOlder: false,
    hasNewer: false,
    isLoading: false,
    isReady: false,
    newBelow: 0,
  };
}

/**
 * Put last a message that the server has not numbered yet: one of this user, or an answer under
 * way.
 */
export function placeLocal(view: RoomView, messages: Messages, message: ChatMessage): RoomView {
  const held = messages.get(message.messageId);
  if (held?.seq !== undefined) return view;
  messages.set(message.messageId, held === undefined ? message : { ...held, ...message });
  if (view.ids.includes(message.messageId)) return view;
  return { ...view, ids: [...view.ids, message.messageId] };
}

export interface Placed {
  view: RoomView;
  /** Messages between this seq and the new one are missing. */
  holeAfter?: number;
}

/** Place a message that came by itself. `isOwn` ones do not count as new below the stretch. */
export function placeLive(
  view: RoomView,
  messages: Messages,
  message: ChatMessage & { seq: number },
  isOwn: boolean,
): Placed {
  const { seq, messageId } = message;
  const told = { ...view, lastSeq: Math.max(view.lastSeq, seq) };
  const held = messages.get(messageId);
  if (held?.seq !== undefined && view.ids.includes(messageId)) {
    messages.set(messageId, merged(held, message));
    return { view: told };
  }
  if (view.mode === "around" && seq > view.newest) {
    return { view: countBelow(told, view.lastSeq, messages, message, isOwn) };
  }
  if (view.newest > 0 && seq > view.newest + 1) return { view: told, holeAfter: view.newest };
  if (view.newest > 0 && seq < view.oldest) return { view: told }; // above what is held
  messages.set(messageId, held === undefined ? message : merged(held, message));
  return { view: inserted(told, messages, messageId, seq) };
}

/**
 * In a stretch elsewhere a new message is not shown; if a copy of it was waiting, it is removed.
 */
function countBelow(
  view: RoomView,
  lastSeqBefore: number,
  messages: Messages,
  message: ChatMessage & { seq: number },
  isOwn: boolean,
): RoomView {
  const { messageId, seq } = message;
  const isNew = seq > lastSeqBefore && !isOwn;
  const wasHere = view.ids.includes(messageId);
  if (wasHere) messages.delete(messageId);
  return {
    ...view,
    hasNewer: true,
    ids: wasHere ? view.ids.filter((id) => id !== messageId) : view.ids,
    newBelow: view.newBelow + (isNew ? 1 : 0),
  };
}

/** Put an id at the place of its seq; messages without a seq stay last. */
function inserted(view: RoomView, messages: Messages, messageId: string, seq: number): RoomView {
  const ids = view.ids.filter((id) => id !== messageId);
  let at = ids.length;
  while (at > 0 && (messages.get(ids[at - 1] ?? "")?.seq ?? Infinity) > seq) at -= 1;
  ids.splice(at, 0, messageId);
  return {
    ...view,
    ids,
    oldest: view.oldest === 0 ? seq : Math.min(view.oldest, seq),
    newest: Math.max(view.newest, seq),
  };
}

/**
 * The newest page (`tail`), or one around a place: what was held before goes, except messages that
 * are not sent.
 */
export function placeWhole(
  view: RoomView,
  messages: Messages,
  page: Page,
  at: RoomView["mode"],
  isHeld: IsHeld = () => false,
): RoomView {
  const local = localIds(view, messages);
  const stays = new Set(page.messages.map((message) => message.messageId));
  for (const id of view.ids) {
    if (!stays.has(id) && !local.includes(id) && !isHeld(id)) messages.delete(id);
  }
  for (const message of page.messages) put(messages, message);
  const oldest = page.messages[0]?.seq ?? 0;
  const newest = page.messages.at(-1)?.seq ?? 0;
  const lastSeq = Math.max(view.lastSeq, page.lastSeq, newest);
  const hasNewer = at === "around" && newest < lastSeq;
  return {
    ...view,
    mode: hasNewer ? "around" : "tail",
    ids: [
      ...page.messages.map((message) => message.messageId),
      ...local.filter((id) => !stays.has(id)),
    ],
    oldest,
    newest,
    firstSeq: page.firstSeq,
    lastSeq,
    hasOlder: oldest > page.firstSeq,
    hasNewer,
    isReady: true,
    newBelow: 0,
  };
}

/**
 * A page before what is held. A page that does not reach what is held, because it was requested
 * earlier, is left out.
 */
export function placeOlder(view: RoomView, messages: Messages, page: Page): RoomView {
  if ((page.messages.at(-1)?.seq ?? view.oldest) < view.oldest - 1) return view;
  const fresh = page.messages.filter(
    ({ seq, messageId }) =>
      seq !== undefined && seq < view.oldest && messages.get(messageId)?.seq === undefined,
  );
  // The user's own message that was sent long ago can still stand last, as not yet sent.
  const moved = new Set(fresh.map((message) => message.messageId));
  const known = page.messages.filter((message) => !moved.has(message.messageId));
  for (const message of [...fresh, ...known]) put(messages, message);
  const before = known
    .filter(({ seq, messageId }) => (seq ?? 0) < view.oldest && !view.ids.includes(messageId))
    .concat(fresh)
    .toSorted((a, b) => (a.seq ?? 0) - (b.seq ?? 0));
  return {
    ...view,
    ids: [
      ...before.map((message) => message.messageId),
      ...view.ids.filter((id) => !moved.has(id)),
    ],
    oldest: before[0]?.seq ?? view.oldest,
    firstSeq: page.firstSeq,
    lastSeq: Math.max(view.lastSeq, page.lastSeq),
    hasOlder: page.hasMore,
  };
}

/**
 * A page after what is held: in a stretch elsewhere, for a hole, or after a reconnect. If the room
 * has lost the messages in between, the view begins anew with the page.
 */
export function placeNewer(
  view: RoomView,
  messages: Messages,
  page: Page,
  isHeld: IsHeld = () => false,
): RoomView {
  const first = page.messages.find(({ seq }) => (seq ?? 0) > view.newest)?.seq;
  if (view.newest > 0 && first !== undefined && first > view.newest + 1) {
    return placeWhole(view, messages, page, view.mode, isHeld);
  }
  let next = view;
  for (const message of page.messages) {
    const { messageId, seq } = message;
    if (seq === undefined) continue;
    const isInside = view.ids.includes(messageId) && messages.get(messageId)?.seq !== undefined;
    if (!isInside && next.oldest > 0 && seq < next.oldest) continue;
    put(messages, message);
    if (!isInside) next = inserted(next, messages, messageId, seq);
  }
  const lastSeq = Math.max(next.lastSeq, page.lastSeq);
  const hasNewer = next.mode === "around" && next.newest < lastSeq;
  return {
    ...next,
    mode: hasNewer ? "around" : "tail",
    firstSeq: page.firstSeq,
    lastSeq,
    hasOlder: next.oldest > page.firstSeq && page.firstSeq > 0,
    hasNewer,
    newBelow: hasNewer ? next.newBelow : 0,
    isReady: true,
  };
}

/** Whether a room has messages after a stretch that should be at its end. */
export function isBehind(view: RoomView): boolean {
  return view.isReady && view.mode === "tail" && view.newest < view.lastSeq;
}

/** Let go of what is furthest from where the reader is. */
export function trimmed(
  view: RoomView,
  messages: Messages,
  readerAt: "start" | "end",
  isHeld: IsHeld = () => false,
): RoomView {
  if (view.ids.length <= WINDOW_MAX) return view;
  const surplus = Math.ceil((view.ids.length - WINDOW_MAX) / TRIM_STEP) * TRIM_STEP;
  const local = localIds(view, messages);
  const stored = view.ids.slice(0, view.ids.length - local.length);
  const cut = Math.min(surplus, stored.length);
  const kept = readerAt === "end" ? stored.slice(cut) : stored.slice(0, stored.length - cut);
  const gone = readerAt === "end" ? stored.slice(0, cut) : stored.slice(stored.length - cut);
  for (const id of gone) if (!isHeld(id)) messages.delete(id);
  const seqOf = (id: string | undefined) => messages.get(id ?? "")?.seq ?? 0;
  const ends = { oldest: seqOf(kept[0]), newest: seqOf(kept.at(-1)) };
  return readerAt === "end"
    ? { ...view, ids: [...kept, ...local], ...ends, hasOlder: true }
    : { ...view, ids: [...kept, ...local], ...ends, hasNewer: true, mode: "around" };
}

/** Forget everything that the server has given; messages that are not sent stay. */
export function dropped(view: RoomView, messages: Messages): RoomView {
  return { ...emptyView(), ids: keepUnsent(view.ids, messages) };
}

/** Forget these messages, but for those of this user that are not sent; returns the ids of these. */
export function keepUnsent(ids: readonly string[], messages: Messages): string[] {
  const isUnsent = (id: string) => {
    const message = messages.get(id);
    return message !== undefined && message.seq === undefined && message.replyTo === undefined;
  };
  const kept = ids.filter(isUnsent);
  for (const id of ids) if (!isUnsent(id)) messages.delete(id);
  return kept;
}

/** Take out a message that was never sent. */
export function without(view: RoomView, messages: Messages, messageId: string): RoomView {
  messages.delete(messageId);
  return { ...view, ids: view.ids.filter((id) => id !== messageId) };
}

/** The messages that stand last and have no number yet. */
function localIds(view: RoomView, messages: Messages): string[] {
  return view.ids.filter((id) => messages.get(id)?.seq === undefined);
}

function put(messages: Messages, message: ChatMessage): void {
  const held = messages.get(message.messageId);
  messages.set(message.messageId, held === undefined ? message : merged(held, message));
}
