/**
 * The rooms of a chat: which are joined and how, what is held of each, and how that stays whole.
 * Only the open room is joined with its history. The others are joined from their newest message on,
 * so that what comes live counts as unread, and nothing else is transferred.
 */
import type { ChatMessage, Room } from "../websocket/types";
import type { HistoryGet, RoomHistory, StatusConnected } from "../websocket/wire.gen";
import { merged, replied } from "./changes";
import { ANSWER_ROWS, type Core } from "./core";
import type { Draft } from "./batch";
import { type HeldRows, placeholder, stored, type StoredMessage } from "./messages";
import { heardName } from "./names";
import type { Presences } from "./presence";
import { roomAfter, roomOf, roomReadTo, type LocalMarkers } from "./reads";
import { PAGE_SIZE, type Place, type RoomView } from "./state";
import {
  dropped,
  emptyView,
  isBehind,
  placeLive,
  placeLocal,
  placeNewer,
  placeOlder,
  placeWhole,
  trimmed,
  without,
  type Page,
} from "./windows";

/** A hole of more messages is not filled: the newest page is read in its place. */
const HOLE_MAX = 500;
/** How many messages a page shows behind the one that was jumped to. */
const BEHIND_TARGET = 25;
/** The most rooms whose messages are held: those that were opened last. */
export const ROOMS_HELD_MAX = 20;
/** A room that does not exist: who joins nothing else joins no room at a CONNECT. */
export const NO_ROOM = "-";

export interface RoomsParts {
  core: Core;
  rows: HeldRows;
  presences: Presences;
  /** The room to open first. */
  first(): string | undefined;
  /** The markers of this browser, for a server that keeps none. */
  markers(): LocalMarkers | undefined;
  /** Whether something else than a room's window shows a message. */
  isHeld(messageId: string): boolean;
  /** A message was received: the server owes it no more. */
  received(message: StoredMessage): void;
  /** A message of a thread was placed. */
  inThread(draft: Draft, message: StoredMessage): void;
  /** A message that is held has changed. */
  changed(draft: Draft, message: ChatMessage): void;
  /** The open room is another one, or the rooms are. */
  remember(): void;
}

export class Rooms {
  /** The rooms that this connection is in, with the seq from which each was joined. */
  #joined = new Map<string, { since?: number }>();
  /** The rev up to which what is held of a room is whole. */
  #revs = new Map<string, number>();
  /** Rooms whose missing messages, or changes, are being read. */
  #filling = new Set<string>();
  #catchingUp = new Set<string>();
  /** Rooms that were opened, and whose first unread message is to be found with their first page. */
  #unmarked = new Set<string>();
  /** Rooms that were opened, the last one last. */
  #opened = new Set<string>();
  /** Messages of this user that are stored, and have not come yet. */
  #sent = new Map<string, { room: string; seq: number }>();
  /** Pages that are being read, by room. */
  #loading = new Map<string, Promise<boolean>>();
  #connection = 0;

  constructor(private readonly parts: RoomsParts) {}

  /** What a CONNECT says of rooms. */
  joinFirst(): { connectionId: string[]; since?: Record<string, number>; epoch?: string } {
    const { epoch, room: open, views } = this.#state;
    const room = open === "" ? (this.parts.first() ?? "") : open;
    this.#joined.clear();
    if (room === "") return { connectionId: [NO_ROOM] };
    const since = sinceOf(views.get(room));
    this.#joined.set(room, since === undefined ? {} : { since });
    return {
      connectionId: [room],
      ...(since === undefined ? {} : { since: { [room]: since } }),
      ...(epoch === undefined ? {} : { epoch }),
    };
  }

  /** The server has let us in. */
  welcomed(draft: Draft, status: StatusConnected): void {
    this.#connection += 1;
    const { state } = draft;
    if (state.epoch !== undefined && state.epoch !== status.epoch) this.#dropAll(draft);
    const rooms = (status.rooms ?? []).map((standing) => this.#roomOf(draft, roomOf(standing)));
    const permitted = new Set(rooms.map((room) => room.connectionId));
    for (const room of state.views.keys()) if (!permitted.has(room)) this.#forget(draft, room);
    const room = [state.room, this.parts.first() ?? ""].find((name) => permitted.has(name));
    const open = room ?? rooms[0]?.connectionId ?? "";
    if (!(state.views.get(open)?.isReady ?? false)) this.#unmarked.add(open);
    if (open !== "") this.#letGo(draft, open);
    draft.set({ rooms, room: open, epoch: status.epoch, presence: this.parts.presences.of(open) });
    for (const joined of this.#joined.keys())
      if (!permitted.has(joined)) this.#joined.delete(joined);
    const connection = this.#connection;
    queueMicrotask(() => void this.#joinRest(connection));
  }

  #roomOf(draft: Draft, told: Room): Room {
    const before = draft.state.rooms.find((room) => room.connectionId === told.connectionId);
    const isKeptHere = !(draft.state.server?.features.includes("read") ?? false);
    const room = (isKeptHere ? this.parts.markers()?.applied(told) : undefined) ?? told;
    const running = this.#core.answers.countIn(room.connectionId);
    const read = before?.readSeq ?? 0;
    // What was read while there was no connection is told in a moment.
    const isAhead = read > room.readSeq && read <= room.lastSeq;
    const held = isAhead ? this.#messagesOf(draft, room.connectionId) : [];
    return { ...(isAhead ? roomReadTo(room, read, held, draft.state.me?.userId) : room), running };
  }

  /** The open room, where the handshake did not name it; then the others, one after the other. */
  async #joinRest(connection: number): Promise<void> {
    const { room: open, rooms } = this.#state;
    if (open !== "" && !this.#joined.has(open)) await this.#join(open, sinceOf(this.#view(open)));
    for (const { connectionId, lastSeq } of rooms) {
      if (connection !== this.#connection || this.#core.wire() === undefined) return;
      if (this.#joined.has(connectionId)) continue;
      const isJoined = await this.#join(connectionId, sinceOf(this.#view(connectionId)) ?? lastSeq);
      if (!isJoined) return; // as many as may be
    }
  }

  async #join(room: string, since: number | undefined): Promise<boolean> {
    const connection = this.#connection;
    const { epoch } = this.#state;
    this.#joined.set(room, since === undefined ? {} : { since });
    const ack = await this.#core.ask("connection:join", {
      connectionId: room,
      answerRows: ANSWER_ROWS,
      ...(since === undefined ? {} : { since }),
      ...(epoch === undefined ? {} : { epoch }),
    });
    if (!ack.ok && connection === this.#connection) this.#joined.delete(room);
    return ack.ok || ack.error.code !== "rate_limited";
  }

  /** Be in a room; where a socket is in as many as it may be, another one is left. */
  async #beIn(room: string, since: number | undefined): Promise<void> {
    if (this.#joined.has(room) || (await this.#join(room, since))) return;
    const other = [...this.#joined.keys()].findLast((name) => name !== room);
    if (other === undefined) return;
    this.#joined.delete(other);
    await this.#core.ask("connection:leave", { connectionId: other });
    await this.#join(room, since);
  }

  /** A page that a join brought. */
  history(draft: Draft, page: RoomHistory): void {
    const { connectionId: room } = page;
    const join = this.#joined.get(room);
    const view = draft.state.views.get(room);
    const come = pageOf(page);
    for (const message of come.messages) this.#heard(draft, message);
    const isResumed = join?.since !== undefined && page.reset !== true;
    if (page.reset === true) {
      this.#setView(draft, room, dropped(view ?? emptyView(), draft.map("messages")));
      this.#core.metrics.note("reset", { room });
    }
    if (!isResumed && (view?.mode !== "around" || page.reset === true)) {
      this.#placeWhole(draft, room, come, "tail");
      if (page.lastRev !== undefined) this.#revs.set(room, page.lastRev);
    } else if (view?.isReady === true) {
      this.#placeBehind(draft, room, come);
      if (!page.hasMore && page.lastRev > (this.#revs.get(room) ?? Infinity)) {
        queueMicrotask(() => void this.#catchUp(room));
      }
    } // else: a room that was joined for its unread messages alone
    const last = come.messages.at(-1);
    if (last !== undefined) this.parts.received(last as StoredMessage);
  }

  /** A message that came by itself. */
  live(draft: Draft, message: StoredMessage): void {
    const { connectionId: room, messageId } = message;
    this.#heard(draft, message);
    this.parts.received(message);
    const view = draft.state.views.get(room);
    if (view !== undefined && (view.isReady || view.ids.includes(messageId))) {
      const messages = draft.map("messages");
      if (!view.isReady) {
        // Stored, and its room is not read yet: it comes again with the first page.
        messages.set(messageId, { ...messages.get(messageId), ...message });
      } else {
        const isOwn = message.userId === draft.state.me?.userId;
        const placed = placeLive(view, messages, message, isOwn);
        const next =
          placed.view.mode === "tail"
            ? trimmed(placed.view, messages, "end", this.parts.isHeld)
            : placed.view;
        this.#setView(draft, room, next);
        this.parts.rows.came(messages, messageId);
        if (placed.holeAfter !== undefined) queueMicrotask(() => void this.#fill(room));
      }
    }
    this.#sent.delete(messageId);
    this.parts.inThread(draft, message);
  }

  /** A message that was asked for by itself. */
  found(draft: Draft, message: StoredMessage): void {
    this.live(draft, message);
  }

  /** What each message tells of its room, wherever it comes from. */
  #heard(draft: Draft, message: StoredMessage | Page["messages"][number]): void {
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
    if (opener === undefined || !this.#state.can("threads")) return;
    const counted = replied(opener, { seq, userId });
    if (counted === opener) return;
    draft.map("messages").set(opener.messageId, counted);
    this.parts.changed(draft, counted);
  }

  /** An answer is under way: its place in the room, where that is held up to its end. */
  placeAnswer(draft: Draft, room: string, answerId: string): void {
    const view = draft.state.views.get(room);
    const answer = this.#core.answers.get(answerId);
    if (view === undefined || !view.isReady || view.mode !== "tail" || answer === undefined) return;
    const question = draft.state.messages.get(answer.questionId);
    const message = placeholder(answer, question, this.#core.serverNow());
    this.#setView(draft, room, placeLocal(view, draft.map("messages"), message));
  }

  /**
   * A message of this user was stored. It gets its number, and so its place, when it comes with the
   * others; where it stands above what is held, or below a stretch elsewhere, it goes.
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
      this.#setView(draft, room, without(view, draft.map("messages"), messageId));
    }
  }

  async openRoom(room: string, place?: Place): Promise<void> {
    const { rooms, isConnected } = this.#state;
    if (isConnected && !rooms.some((known) => known.connectionId === room)) {
      this.#core.notify({ kind: "error", text: `There is no room ${room} for you.` });
      return;
    }
    this.#core.batch.now((draft) => this.#show(draft, room));
    this.parts.remember();
    if (isPlace(place)) {
      if (await this.jumpTo(room, place)) return;
      await this.jumpToEnd(room); // from where the room was left
    }
    if (!(this.#view(room)?.isReady ?? false)) await this.#readNewest(room);
  }

  #show(draft: Draft, room: string): void {
    const { room: before, views } = draft.state;
    if (room === before) return;
    const left = views.get(before);
    if (left !== undefined) {
      const { firstUnread: _line, ...rest } = left;
      this.#setView(draft, before, rest);
    }
    draft.set({ room, presence: this.parts.presences.of(room) });
    this.#letGo(draft, room);
    const view = views.get(room);
    if (view?.isReady === true)
      this.#setView(draft, room, this.#withFirstUnread(draft, room, view));
    else this.#unmarked.add(room);
  }

  /** Hold the messages of a few rooms: who opens a hundred does not hold them all. */
  #letGo(draft: Draft, room: string): void {
    this.#opened.delete(room);
    this.#opened.add(room);
    const [oldest] = this.#opened;
    if (this.#opened.size <= ROOMS_HELD_MAX || oldest === undefined) return;
    this.#opened.delete(oldest);
    const view = draft.state.views.get(oldest);
    if (view === undefined) return;
    this.#setView(draft, oldest, dropped(view, draft.map("messages")));
    this.#revs.delete(oldest);
  }

  /** The newest page of a room that is not held. */
  async #readNewest(room: string): Promise<void> {
    if (this.#core.wire() === undefined || !this.#begin(room)) return;
    if (!this.#joined.has(room)) {
      await this.#beIn(room, undefined); // it brings the page
      this.#core.batch.flush();
      this.#finish(room);
      if (this.#view(room)?.isReady === true) return;
      if (!this.#begin(room)) return;
    }
    const unread = this.#state.rooms.find((known) => known.connectionId === room)?.unread ?? 0;
    const most = this.#state.limits?.historyPage ?? PAGE_SIZE;
    await this.#read(
      room,
      { limit: Math.min(Math.max(PAGE_SIZE, unread + 10), most) },
      (draft, page) => this.#placeWhole(draft, room, page, "tail"),
    );
  }

  async loadOlder(room: string): Promise<void> {
    const view = this.#view(room);
    if (view === undefined || !view.isReady || !view.hasOlder || !this.#begin(room)) return;
    await this.#read(room, { before: view.oldest, limit: PAGE_SIZE }, (draft, page) => {
      const messages = draft.map("messages");
      const now = draft.state.views.get(room) ?? emptyView();
      const next = trimmed(placeOlder(now, messages, page), messages, "start", this.parts.isHeld);
      this.#setView(draft, room, next);
    });
  }

  async loadNewer(room: string): Promise<void> {
    const view = this.#view(room);
    if (view === undefined || !view.isReady || !view.hasNewer || !this.#begin(room)) return;
    await this.#read(room, { after: view.newest, limit: PAGE_SIZE }, (draft, page) =>
      this.#placeBehind(draft, room, page),
    );
  }

  async jumpTo(room: string, place: Place): Promise<boolean> {
    this.#core.batch.now((draft) => this.#show(draft, room));
    const held = this.#heldAt(room, place);
    if (held !== undefined) return this.#aim(room, held);
    await this.#loading.get(room);
    const seq = place.seq ?? (await this.#seqOf(room, place.messageId));
    if (seq === undefined || !this.#begin(room)) return false;
    if (!this.#joined.has(room)) await this.#beIn(room, undefined);
    let found: string | undefined;
    await this.#read(room, { before: seq + BEHIND_TARGET + 1, limit: PAGE_SIZE }, (draft, page) => {
      found = page.messages.find((message) => message.seq === seq)?.messageId;
      if (found !== undefined) this.#placeWhole(draft, room, page, "around");
    });
    return found !== undefined && this.#aim(room, found);
  }

  async jumpToEnd(room: string): Promise<void> {
    const view = this.#view(room);
    if (view === undefined || view.mode === "tail" || !this.#begin(room)) return;
    await this.#read(room, { limit: PAGE_SIZE }, (draft, page) =>
      this.#placeWhole(draft, room, page, "tail"),
    );
  }

  /** The user may not use a room any more. */
  left(draft: Draft, room: string): void {
    this.#joined.delete(room);
    this.#forget(draft, room);
    const rooms = draft.state.rooms.filter((known) => known.connectionId !== room);
    draft.set({ rooms });
    if (draft.state.room !== room) return;
    const next = rooms[0]?.connectionId ?? "";
    this.#show(draft, next);
    if (next !== "") queueMicrotask(() => void this.openRoom(next));
  }

  /** A change was heard: whether those before it were, too. */
  changed(draft: Draft, room: string, rev: number): void {
    const { rooms } = draft.state;
    const index = rooms.findIndex((known) => known.connectionId === room);
    const known = rooms[index];
    if (known !== undefined && rev > known.lastRev) {
      draft.set({ rooms: rooms.with(index, { ...known, lastRev: rev }) });
    }
    const whole = this.#revs.get(room);
    if (whole === undefined || rev <= whole) return;
    if (rev === whole + 1) this.#revs.set(room, rev);
    else queueMicrotask(() => void this.#catchUp(room));
  }

  /** The rooms that this connection is in. */
  get joined(): Iterable<string> {
    return this.#joined.keys();
  }

  clear(): void {
    this.#connection += 1;
    this.#joined.clear();
    this.#revs.clear();
    this.#unmarked.clear();
    this.#opened.clear();
    this.#sent.clear();
  }

  /** Read the messages that a room has behind what is held. */
  async #fill(room: string): Promise<void> {
    if (this.#filling.has(room)) return;
    this.#filling.add(room);
    try {
      for (;;) {
        const view = this.#view(room);
        if (view === undefined || !isBehind(view)) return;
        const isFar = view.lastSeq - view.newest > HOLE_MAX;
        const which = isFar ? {} : { after: view.newest };
        const isRead = await this.#read(room, { ...which, limit: PAGE_SIZE }, (draft, page) => {
          if (isFar) this.#placeWhole(draft, room, page, "tail");
          else this.#placeBehind(draft, room, page);
          this.#settle(draft, room, page);
        });
        if (!isRead) return;
        this.#core.metrics.count("gapsFilled");
        this.#core.metrics.note("gap_filled", { room, after: view.newest });
      }
    } finally {
      this.#filling.delete(room);
    }
  }

  /** A server that has nothing behind what is held ends the search for it. */
  #settle(draft: Draft, room: string, page: Page): void {
    const view = draft.state.views.get(room);
    if (view === undefined || page.messages.length > 0) return;
    this.#setView(draft, room, { ...view, lastSeq: view.newest });
  }

  /** Read the changes that were missed of messages that are held. */
  async #catchUp(room: string): Promise<void> {
    if (this.#catchingUp.has(room)) return;
    this.#catchingUp.add(room);
    try {
      for (;;) {
        const whole = this.#revs.get(room);
        if (whole === undefined || !this.#state.can("changes")) return;
        const ack = await this.#ask(room, { changedAfter: whole, limit: PAGE_SIZE });
        if (!ack.ok) return;
        const page = pageOf(ack);
        this.#core.batch.now((draft) => this.#placeChanged(draft, page));
        const last = page.messages.at(-1)?.rev;
        const isDone = !ack.hasMore || last === undefined;
        this.#revs.set(room, isDone ? Math.max(ack.lastRev, last ?? 0) : last);
        if (isDone) return;
      }
    } finally {
      this.#catchingUp.delete(room);
    }
  }

  #placeChanged(draft: Draft, page: Page): void {
    for (const message of page.messages) {
      if (!draft.state.messages.has(message.messageId)) continue;
      const messages = draft.map("messages");
      const held = messages.get(message.messageId);
      const next = held === undefined ? message : merged(held, message);
      messages.set(message.messageId, next);
      this.parts.changed(draft, next);
    }
  }

  #placeWhole(draft: Draft, room: string, page: Page, at: RoomView["mode"]): void {
    const messages = draft.map("messages");
    const before = draft.state.views.get(room) ?? emptyView();
    const lastSeq = draft.state.rooms.find((known) => known.connectionId === room)?.lastSeq ?? 0;
    const view = placeWhole(before, messages, page, at, this.parts.isHeld);
    this.#setView(draft, room, { ...view, lastSeq: Math.max(view.lastSeq, lastSeq) });
    this.#placed(draft, room, page);
  }

  /** Messages behind what is held: they follow, or count as new below a stretch elsewhere. */
  #placeBehind(draft: Draft, room: string, page: Page): void {
    const messages = draft.map("messages");
    const view = draft.state.views.get(room) ?? emptyView();
    const first = page.messages[0]?.seq;
    if (view.mode === "around" && first !== undefined && first > view.newest + 1) {
      let next = view;
      for (const message of page.messages) {
        const isOwn = message.userId === draft.state.me?.userId;
        next = placeLive(next, messages, message as StoredMessage, isOwn).view;
      }
      this.#setView(draft, room, next);
      return;
    }
    const placed = placeNewer(view, messages, page, this.parts.isHeld);
    this.#setView(draft, room, trimmed(placed, messages, "end", this.parts.isHeld));
    this.#placed(draft, room, page);
  }

  /** A page was placed: its rows, its place among the unread, and what is under way. */
  #placed(draft: Draft, room: string, page: Page): void {
    const messages = draft.map("messages");
    for (const { messageId } of page.messages) this.parts.rows.came(messages, messageId);
    for (const answer of this.#core.answers.in(room))
      this.placeAnswer(draft, room, answer.answerId);
    this.#settleSent(draft, room);
    const view = draft.state.views.get(room);
    if (view === undefined) return;
    if (this.#unmarked.delete(room) && room === draft.state.room) {
      this.#setView(draft, room, this.#withFirstUnread(draft, room, view));
    }
    if (isBehind(view)) queueMicrotask(() => void this.#fill(room));
  }

  #withFirstUnread(draft: Draft, room: string, view: RoomView): RoomView {
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

  /** Ask for a page and place it. Ends the loading that was begun. False where none came. */
  async #read(
    room: string,
    which: Omit<HistoryGet, "connectionId">,
    place: (draft: Draft, page: Page) => void,
  ): Promise<boolean> {
    const reading = this.#readPage(room, which, place);
    this.#loading.set(room, reading);
    const isRead = await reading;
    if (this.#loading.get(room) === reading) this.#loading.delete(room);
    return isRead;
  }

  async #readPage(
    room: string,
    which: Omit<HistoryGet, "connectionId">,
    place: (draft: Draft, page: Page) => void,
  ): Promise<boolean> {
    const connection = this.#connection;
    const ack = await this.#ask(room, which);
    this.#core.batch.now((draft) => {
      const view = draft.state.views.get(room);
      if (view !== undefined) this.#setView(draft, room, { ...view, isLoading: false });
      if (!ack.ok || connection !== this.#connection) return;
      const page = pageOf(ack);
      for (const message of page.messages) this.#heard(draft, message);
      place(draft, page);
      if (ack.lastRev !== undefined && !this.#revs.has(room)) this.#revs.set(room, ack.lastRev);
    });
    if (!ack.ok && this.#core.wire() !== undefined) {
      this.#core.notify({ kind: "error", text: ack.error.message });
    }
    return ack.ok;
  }

  #ask(room: string, which: Omit<HistoryGet, "connectionId">) {
    return this.#core.ask("chat:history:get", {
      connectionId: room,
      answerRows: ANSWER_ROWS,
      ...which,
    });
  }

  /** Whether a page may be read now: one at a time for each room. */
  #begin(room: string): boolean {
    if (this.#view(room)?.isLoading === true) return false;
    this.#core.batch.now((draft) => {
      const view = draft.state.views.get(room) ?? emptyView();
      this.#setView(draft, room, { ...view, isLoading: true });
    });
    return true;
  }

  #finish(room: string): void {
    this.#core.batch.now((draft) => {
      const view = draft.state.views.get(room);
      if (view !== undefined) this.#setView(draft, room, { ...view, isLoading: false });
    });
  }

  #heldAt(room: string, { seq, messageId }: Place): string | undefined {
    const { messages } = this.#state;
    return this.#view(room)?.ids.find((id) =>
      messageId === undefined
        ? messages.get(id)?.seq === seq && seq !== undefined
        : id === messageId,
    );
  }

  async #seqOf(room: string, messageId: string | undefined): Promise<number | undefined> {
    if (messageId === undefined) return undefined;
    const known = this.#state.messages.get(messageId)?.seq;
    if (known !== undefined || !this.#state.can("message_get")) return known;
    const ack = await this.#core.ask("chat:message:get", {
      connectionId: room,
      messageId,
      answerRows: 0,
    });
    return ack.ok ? ack.message.seq : undefined;
  }

  #aim(room: string, messageId: string): boolean {
    this.#core.batch.now((draft) => {
      const serial = (draft.state.target?.serial ?? 0) + 1;
      draft.set({ target: { room, messageId, serial } });
    });
    return true;
  }

  #dropAll(draft: Draft): void {
    this.#core.metrics.note("epoch", { was: draft.state.epoch });
    const messages = draft.map("messages");
    for (const [room, view] of draft.state.views)
      this.#setView(draft, room, dropped(view, messages));
    this.#core.answers.clear();
    this.#revs.clear();
    draft.set({ rooms: [], thread: undefined, search: undefined, target: undefined });
  }

  /** Drop what is held of a room; what is not sent stays in the outbox. */
  #forget(draft: Draft, room: string): void {
    const view = draft.state.views.get(room);
    if (view === undefined) return;
    dropped(view, draft.map("messages"));
    draft.map("views").delete(room);
    this.#revs.delete(room);
    this.#core.answers.clear(room);
    this.parts.presences.leave(room);
  }

  *#messagesOf(draft: Draft, room: string) {
    for (const id of draft.state.views.get(room)?.ids ?? []) {
      const message = draft.state.messages.get(id);
      if (message !== undefined) yield message;
    }
  }

  #setView(draft: Draft, room: string, view: RoomView): void {
    draft.map("views").set(room, view);
  }

  #view(room: string): RoomView | undefined {
    return this.#state.views.get(room);
  }

  get #core(): Core {
    return this.parts.core;
  }

  get #state() {
    return this.parts.core.get();
  }
}

/** Whether a place names anything. */
export function isPlace(place: Place | undefined): place is Place {
  return place?.seq !== undefined || place?.messageId !== undefined;
}

/** The last seq that a room's stretch has; undefined where nothing is held. */
function sinceOf(view: RoomView | undefined): number | undefined {
  if (view === undefined || !view.isReady) return undefined;
  return view.mode === "tail" ? view.newest : view.lastSeq;
}

function pageOf(page: RoomHistory): Page {
  const { messages, hasMore, firstSeq, lastSeq } = page;
  return { messages: messages.map(stored), hasMore, firstSeq, lastSeq };
}
