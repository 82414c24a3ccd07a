/**
 * The rooms of a chat, as the user moves through them. Only the open room is joined with its history.
 * The others are joined from their newest message on, so that what comes live counts as unread, and
 * nothing else is transferred.
 */
import { beginning, oneLine } from "../answers/values";
import type { Room } from "../websocket/types";
import type { RoomHistory, StatusConnected } from "../websocket/wire.gen";
import type { Draft } from "./batch";
import { CatchUp } from "./catchUp";
import type { Core } from "./core";
import { Joins } from "./joins";
import type { StoredMessage } from "./messages";
import { noticesIn } from "./notices";
import { pageOf, Pages } from "./pages";
import { Placing, setView, type PlacingParts } from "./placing";
import type { Receipts } from "./receipts";
import { roomOf, roomReadTo, type LocalMarkers } from "./reads";
import { PAGE_SIZE, type Notice, type Place, type RoomView } from "./state";
import { dropped, emptyView, placeOlder, trimmed } from "./windows";

/** How many messages a page shows after the one that the user jumped to. */
const BEHIND_TARGET = 25;
/** How much of a room's name a sentence shows: a link may name anything. */
const NAME_CHARS = 80;

export interface RoomsParts extends Omit<PlacingParts, "isBehind" | "forgotten" | "received"> {
  /** The room to open first. */
  first(): string | undefined;
  /** The markers of this browser, for a server that keeps none. */
  markers(): LocalMarkers | undefined;
  receipts: Receipts;
  /** The user has read further than the server knows. */
  isAhead(room: string, seq: number): void;
  /** Another room is open, or the list of rooms has changed. */
  remember(): void;
}

export class Rooms {
  readonly joins: Joins;
  readonly placing: Placing;
  readonly catchUp: CatchUp;
  readonly #pages: Pages;

  constructor(private readonly parts: RoomsParts) {
    const { core } = parts;
    this.joins = new Joins({
      core,
      first: () => parts.first(),
      since: (room) => sinceOf(core.get().views.get(room)),
    });
    this.placing = new Placing({
      ...parts,
      received: (message) => parts.receipts.received(message),
      isBehind: (room) => queueMicrotask(() => void this.catchUp.fill(room)),
      forgotten: (room) => this.catchUp.forget(room),
    });
    this.#pages = new Pages({
      core,
      connection: () => this.joins.connection,
      come: (draft, page) => {
        for (const message of page.messages) this.placing.heard(draft, message);
      },
      placed: (room, lastRev) => {
        if (!this.catchUp.knows(room)) this.catchUp.isWhole(room, lastRev);
      },
    });
    this.catchUp = new CatchUp({
      core,
      pages: this.#pages,
      placing: this.placing,
      changed: (draft, message) => parts.changed(draft, message),
    });
  }

  clear(): void {
    this.joins.clear();
    this.placing.clear();
    this.catchUp.clear();
  }

  /** The server has let us in. */
  welcomed(draft: Draft, status: StatusConnected): void {
    const { state } = draft;
    if (state.epoch !== undefined && state.epoch !== status.epoch) this.placing.dropAll(draft);
    const rooms = (status.rooms ?? []).map((standing) => this.#roomOf(draft, roomOf(standing)));
    const permitted = new Set(rooms.map((room) => room.connectionId));
    for (const room of state.views.keys())
      if (!permitted.has(room)) this.placing.forget(draft, room);
    const room = [state.room, this.parts.first() ?? ""].find((name) => permitted.has(name));
    const open = room ?? rooms[0]?.connectionId ?? "";
    if (!(state.views.get(open)?.isReady ?? false)) this.placing.mark(open);
    if (open !== "") this.placing.hold(draft, open);
    const presence = this.parts.presences.of(open);
    const notices = noticesIn(draft.state.notices, open);
    draft.set({ rooms, room: open, notices, epoch: status.epoch, presence });
    this.joins.welcomed(status.rooms ?? []);
  }

  #roomOf(draft: Draft, told: Room): Room {
    const before = draft.state.rooms.find((room) => room.connectionId === told.connectionId);
    const isKeptHere = !(draft.state.server?.features.includes("read") ?? false);
    const room = (isKeptHere ? this.parts.markers()?.applied(told) : undefined) ?? told;
    const running = this.#core.answers.countIn(room.connectionId);
    const read = before?.readSeq ?? 0;
    // The server will be told in a moment what was read without a connection.
    const isAhead = read > room.readSeq && read <= room.lastSeq;
    if (isAhead) this.parts.isAhead(room.connectionId, read);
    const held = isAhead ? this.#messagesOf(draft, room.connectionId) : [];
    return { ...(isAhead ? roomReadTo(room, read, held, draft.state.me?.userId) : room), running };
  }

  /** A page that a join brought. */
  history(draft: Draft, page: RoomHistory): void {
    const { connectionId: room } = page;
    const view = draft.state.views.get(room);
    const come = pageOf(page);
    for (const message of come.messages) this.placing.heard(draft, message);
    const isResumed = this.joins.isResumed(room) && page.reset !== true;
    if (page.reset === true) {
      setView(draft, room, dropped(view ?? emptyView(), draft.map("messages")));
      this.#core.metrics.note("reset", { room });
    }
    if (!isResumed && (view?.mode !== "around" || page.reset === true)) {
      this.placing.whole(draft, room, come, "tail");
      this.catchUp.isWhole(room, page.lastRev);
    } else if (view?.isReady === true) {
      this.placing.behind(draft, room, come);
      if (!page.hasMore) {
        this.catchUp.resumed(room, page.lastRev);
        queueMicrotask(() => void this.parts.receipts.resumed(room));
      }
    } // else: a room that was joined for its unread messages alone
    const last = come.messages.at(-1);
    if (last !== undefined) this.parts.receipts.received(last as StoredMessage);
  }

  async openRoom(room: string, place?: Place): Promise<void> {
    const { rooms, isConnected } = this.#state;
    if (isConnected && !rooms.some((known) => known.connectionId === room)) {
      this.#core.notify(notForUser(room));
      return;
    }
    this.#core.batch.now((draft) => this.#show(draft, room));
    this.parts.remember();
    // Else from where the room was left.
    if (isPlace(place) && !(await this.#lookAt(room, place))) await this.jumpToEnd(room);
    // The room may have been left for another one, if a socket may be in no more of them.
    if (!(this.#view(room)?.isReady ?? false) || !this.joins.has(room))
      await this.#readNewest(room);
  }

  /** Go to a place that a link names; if it is gone, to the unread messages. */
  async #lookAt(room: string, place: Place): Promise<boolean> {
    if (await this.jumpTo(room, place)) return true;
    if (this.#core.wire() === undefined) return false;
    this.#core.notify({ kind: "info", text: "That message is not there any more.", room });
    const seq = this.#view(room)?.firstUnread;
    return seq !== undefined && this.#state.room === room && this.jumpTo(room, { seq });
  }

  #show(draft: Draft, room: string): void {
    const { room: before, views } = draft.state;
    if (room === before) return;
    const left = views.get(before);
    if (left !== undefined) {
      const { firstUnread: _line, ...rest } = left;
      setView(draft, before, rest);
    }
    const notices = noticesIn(draft.state.notices, room);
    draft.set({ room, notices, presence: this.parts.presences.of(room) });
    this.placing.hold(draft, room);
    const view = views.get(room);
    if (view?.isReady === true)
      setView(draft, room, this.placing.withFirstUnread(draft, room, view));
    else this.placing.mark(room);
  }

  /** The newest page of a room that is not held. */
  async #readNewest(room: string): Promise<void> {
    if (this.#core.wire() === undefined || !this.#pages.begin(room)) return;
    if (!this.joins.has(room)) {
      await this.joins.beIn(room); // it brings the page
      this.#core.batch.flush();
      this.#pages.finish(room);
      if (this.#view(room)?.isReady === true) return;
      if (!this.#pages.begin(room)) return;
    }
    const unread = this.#state.rooms.find((known) => known.connectionId === room)?.unread ?? 0;
    const most = this.#state.limits?.historyPage ?? PAGE_SIZE;
    await this.#pages.read(
      room,
      { limit: Math.min(Math.max(PAGE_SIZE, unread + 10), most) },
      (draft, page) => this.placing.whole(draft, room, page, "tail"),
    );
  }

  async loadOlder(room: string): Promise<void> {
    const view = this.#view(room);
    if (view === undefined || !view.isReady || !view.hasOlder || !this.#pages.begin(room)) return;
    await this.#pages.read(room, { before: view.oldest, limit: PAGE_SIZE }, (draft, page) => {
      const messages = draft.map("messages");
      const now = draft.state.views.get(room) ?? emptyView();
      const next = trimmed(placeOlder(now, messages, page), messages, "start", this.parts.isHeld);
      setView(draft, room, next);
    });
  }

  async loadNewer(room: string): Promise<void> {
    const view = this.#view(room);
    if (view === undefined || !view.isReady || !view.hasNewer || !this.#pages.begin(room)) return;
    await this.#pages.read(room, { after: view.newest, limit: PAGE_SIZE }, (draft, page) =>
      this.placing.behind(draft, room, page),
    );
  }

  async jumpTo(room: string, place: Place): Promise<boolean> {
    this.#core.batch.now((draft) => this.#show(draft, room));
    const held = this.#heldAt(room, place);
    if (held !== undefined) return this.#aim(room, held);
    await this.#pages.turn(room);
    const seq = place.seq ?? (await this.#seqOf(room, place.messageId));
    if (seq === undefined) {
      this.#pages.finish(room);
      return false;
    }
    if (!this.joins.has(room)) await this.joins.beIn(room);
    let found: string | undefined;
    await this.#pages.read(
      room,
      { before: seq + BEHIND_TARGET + 1, limit: PAGE_SIZE },
      (draft, page) => {
        found = page.messages.find((message) => message.seq === seq)?.messageId;
        if (found !== undefined) this.placing.whole(draft, room, page, "around");
      },
    );
    return found !== undefined && this.#aim(room, found);
  }

  async jumpToEnd(room: string): Promise<void> {
    if ((this.#view(room)?.mode ?? "tail") === "tail") return;
    await this.#pages.turn(room);
    await this.#pages.read(room, { limit: PAGE_SIZE }, (draft, page) =>
      this.placing.whole(draft, room, page, "tail"),
    );
  }

  /** The user may no longer use a room. */
  left(draft: Draft, room: string): void {
    this.joins.left(room);
    this.placing.forget(draft, room);
    const rooms = draft.state.rooms.filter((known) => known.connectionId !== room);
    draft.set({ rooms });
    if (draft.state.room !== room) return;
    const next = rooms[0]?.connectionId ?? "";
    this.#show(draft, next);
    if (next !== "") queueMicrotask(() => void this.openRoom(next));
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

  *#messagesOf(draft: Draft, room: string) {
    for (const id of draft.state.views.get(room)?.ids ?? []) {
      const message = draft.state.messages.get(id);
      if (message !== undefined) yield message;
    }
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

/**
 * The notice for a room that a link names and the user cannot open; nobody is told which reason
 * applies.
 */
export function notForUser(room: string): Omit<Notice, "id"> {
  const name = oneLine(beginning(room, NAME_CHARS));
  return { kind: "info", text: `You may not use the room ${name}, or it does not exist.` };
}

/** Whether a place names anything. */
export function isPlace(place: Place | undefined): place is Place {
  return place?.seq !== undefined || place?.messageId !== undefined;
}

/** The last seq that a room's stretch has; undefined if nothing is held. */
function sinceOf(view: RoomView | undefined): number | undefined {
  if (view === undefined || !view.isReady) return undefined;
  return view.mode === "tail" ? view.newest : view.lastSeq;
}
