/**
 * What is held of rooms, as messages and pages come: each is put in its place, together with what
 * follows for the room, its answers and its openers.
 */
import type { ChatMessage } from "../websocket/types";
import type { Draft } from "./batch";
import { replied } from "./changes";
import type { Core } from "./core";
import { placeholder, type HeldRows, type StoredMessage } from "./messages";
import { heardName } from "./names";
import type { Presences } from "./presence";
import { roomAfter } from "./reads";
import type { RoomView } from "./state";
import {
  dropped,
  emptyView,
  isBehind,
  placeLive,
  placeLocal,
  placeNewer,
  placeWhole,
  trimmed,
  without,
  type Page,
} from "./windows";

/** The most rooms whose messages are held: those that were opened last. */
export const ROOMS_HELD_MAX = 20;

export interface PlacingParts {
  core: Core;
  rows: HeldRows;
  presences: Presences;
  /** Whether something other than a room's window shows a message. */
  isHeld(messageId: string): boolean;
  /** A message was received: the server need not send it again. */
  received(message: StoredMessage): void;
  /** A message of a thread was placed. */
  inThread(draft: Draft, message: StoredMessage): void;
  /** A message that is held has changed. */
  changed(draft: Draft, message: ChatMessage): void;
  /** A room has messages after those that are held, which are to be read. */
  isBehind(room: string): void;
  /** What was held of a room is gone. */
  forgotten(room: string): void;
}

export class Placing {
  /** Rooms that were opened, and whose first unread message the first page is to show. */
  #unmarked = new Set<string>();
  /** Rooms that were opened, the last one last. */
  #opened = new Set<string>();
  /** Messages of this user that are stored, and have not come yet. */
  #sent = new Map<string, { room: string; seq: number }>();

  constructor(private readonly parts: PlacingParts) {}

  clear(): void {
    this.#unmarked.clear();
    this.#opened.clear();
    this.#sent.clear();
  }

  /** A room is opened; its first page shows where the line above unread messages belongs. */
  mark(room: string): void {
    this.#unmarked.add(room);
  }

  /** A message that came by itself. */
  live(draft: Draft, message: StoredMessage): void {
    const { connectionId: room, messageId } = message;
    this.heard(draft, message);
    this.parts.received(message);
    const view = draft.state.views.get(room);
    if (view !== undefined && (view.isReady || view.ids.includes(messageId))) {
      const messages = draft.map("messages");
      if (!view.isReady) {
        // It is stored, and its room is not read yet: it comes again with the first page.
        messages.set(messageId, { ...messages.get(messageId), ...message });
      } else {
        const isOwn = message.userId === draft.state.me?.userId;
        const placed = placeLive(view, messages, message, isOwn);
        const next =
          placed.view.mode === "tail"
            ? trimmed(placed.view, messages, "end", this.parts.isHeld)
            : placed.view;
        setView(draft, room, next);
        this.parts.rows.came(messages, messageId);
        if (placed.holeAfter !== undefined) this.parts.isBehind(room);
      }
    }
    this.#sent.delete(messageId);
    this.parts.inThread(draft, message);
  }

  /** What each message tells about its room, wherever it comes from. */
  heard(draft: Draft, message: StoredMessage | Page["messages"][number]): void {
    const { connectionId, userId, name, threadId, seq, messageId, replyTo } = message;
    if (replyTo !== undefined) this.#core.answers.forget(messageId);
    const { rooms, me, messages } = draft.state;
    const index = rooms.findIndex((room) => room.connectionId === connectionId);
    const room = rooms[index];
    heardName(draft, userId, name);
    if (room === undefined || seq === undefined) return;
    const next = roomAfter(room, message, me?.userId);
    if (next !== room) draft.set({ rooms: rooms.with(index, next) });
    const opener = threadId === undefined ? undefined : messages.get(threadId);
    if (opener === undefined || !draft.state.can("threads")) return;
    const counted = replied(opener, { seq, userId });
    if (counted === opener) return;
    draft.map("messages").set(opener.messageId, counted);
    this.parts.changed(draft, counted);
  }

  /** An answer is under way: give it a place in the room, if the room is held up to its end. */
  answer(draft: Draft, room: string, answerId: string): void {
    const view = draft.state.views.get(room);
    const answer = this.#core.answers.get(answerId);
    if (view === undefined || !view.isReady || view.mode !== "tail" || answer === undefined) return;
    const question = draft.state.messages.get(answer.questionId);
    const message = placeholder(answer, question, this.#core.serverNow());
    setView(draft, room, placeLocal(view, draft.map("messages"), message));
  }

  /**
   * A message of this user was stored. It gets its number, and so its place, when it comes with the
   * others; if it belongs above what is held, or below a stretch elsewhere, it goes.
   */
  sent(draft: Draft, room: string, messageId: string, seq: number): void {
    this.#sent.set(messageId, { room, seq });
    this.#settleSent(draft, room);
  }

  #settleSent(draft: Draft, room: string): void {
    const view = draft.state.views.get(room);
    for (const [messageId, sent] of this.#sent) {
      if (sent.room !== room) continue;
      const isNumbered = draft.state.messages.get(messageId)?.seq !== undefined;
      const isElsewhere =
        view?.isReady === true && (view.mode === "around" || sent.seq < view.oldest);
      if (isNumbered || isElsewhere) this.#sent.delete(messageId);
      if (isNumbered || !isElsewhere || !view.ids.includes(messageId)) continue;
      setView(draft, room, without(view, draft.map("messages"), messageId));
    }
  }

  /** Hold the messages of a few rooms only: a user who opens a hundred does not hold them all. */
  hold(draft: Draft, room: string): void {
    this.#opened.delete(room);
    this.#opened.add(room);
    const [oldest] = this.#opened;
    if (this.#opened.size <= ROOMS_HELD_MAX || oldest === undefined) return;
    this.#opened.delete(oldest);
    const view = draft.state.views.get(oldest);
    if (view === undefined) return;
    setView(draft, oldest, dropped(view, draft.map("messages")));
    this.parts.forgotten(oldest);
  }

  /** The newest page of a room, or one around a place. */
  whole(draft: Draft, room: string, page: Page, at: RoomView["mode"]): void {
    const messages = draft.map("messages");
    const before = draft.state.views.get(room) ?? emptyView();
    const lastSeq = draft.state.rooms.find((known) => known.connectionId === room)?.lastSeq ?? 0;
    const view = placeWhole(before, messages, page, at, this.parts.isHeld);
    setView(draft, room, { ...view, lastSeq: Math.max(view.lastSeq, lastSeq) });
    this.#placed(draft, room, page);
  }

  /**
   * Messages after those that are held: they are added, or count as new below a stretch elsewhere.
   */
  behind(draft: Draft, room: string, page: Page): void {
    const messages = draft.map("messages");
    const view = draft.state.views.get(room) ?? emptyView();
    const first = page.messages[0]?.seq;
    if (view.mode === "around" && first !== undefined && first > view.newest + 1) {
      let next = view;
      for (const message of page.messages) {
        const isOwn = message.userId === draft.state.me?.userId;
        next = placeLive(next, messages, message as StoredMessage, isOwn).view;
      }
      setView(draft, room, next);
      return;
    }
    const placed = placeNewer(view, messages, page, this.parts.isHeld);
    setView(draft, room, trimmed(placed, messages, "end", this.parts.isHeld));
    this.#placed(draft, room, page);
  }

  /** A page was placed: take its rows, find the unread line, and show what is under way. */
  #placed(draft: Draft, room: string, page: Page): void {
    const messages = draft.map("messages");
    for (const { messageId } of page.messages) this.parts.rows.came(messages, messageId);
    for (const answer of this.#core.answers.in(room)) this.answer(draft, room, answer.answerId);
    this.#settleSent(draft, room);
    const view = draft.state.views.get(room);
    if (view === undefined) return;
    if (this.#unmarked.delete(room) && room === draft.state.room) {
      setView(draft, room, this.withFirstUnread(draft, room, view));
    }
    if (isBehind(view)) this.parts.isBehind(room);
  }

  /** The view with the line above the messages that are unread now. */
  withFirstUnread(draft: Draft, room: string, view: RoomView): RoomView {
    const { firstUnread: _before, ...rest } = view;
    const known = draft.state.rooms.find(({ connectionId }) => connectionId === room);
    if (known === undefined || known.unread === 0) return rest;
    const me = draft.state.me?.userId;
    for (const id of view.ids) {
      const message = draft.state.messages.get(id);
      if (message?.seq === undefined || message.seq <= known.readSeq) continue;
      if (message.userId === me || view.oldest > known.readSeq + 1) break;
      return { ...rest, firstUnread: message.seq };
    }
    return { ...rest, firstUnread: known.readSeq + 1 };
  }

  /** The server has another log: nothing that is held belongs to it. */
  dropAll(draft: Draft): void {
    this.#core.metrics.note("epoch", { was: draft.state.epoch });
    const messages = draft.map("messages");
    for (const [room, view] of draft.state.views) setView(draft, room, dropped(view, messages));
    this.#core.answers.clear();
    for (const room of draft.state.views.keys()) this.parts.forgotten(room);
    draft.set({ rooms: [], search: undefined, target: undefined });
  }

  /** Drop what is held of a room; what is not sent stays in the outbox. */
  forget(draft: Draft, room: string): void {
    const view = draft.state.views.get(room);
    if (view === undefined) return;
    dropped(view, draft.map("messages"));
    draft.map("views").delete(room);
    this.parts.forgotten(room);
    this.#core.answers.clear(room);
    this.parts.presences.leave(room);
  }

  get #core(): Core {
    return this.parts.core;
  }
}

export function setView(draft: Draft, room: string, view: RoomView): void {
  draft.map("views").set(room, view);
}
