/**
 * Reads what was missed: messages after those that are held of a room, and changes of held
 * messages.
 */
import type { ChatMessage } from "../websocket/types";
import type { Draft } from "./batch";
import { merged } from "./changes";
import type { Core } from "./core";
import { pageOf, type Pages } from "./pages";
import { setView, type Placing } from "./placing";
import { PAGE_SIZE } from "./state";
import { isBehind, type Page } from "./windows";

/** A larger hole is not filled: the newest page is read in its place. */
const HOLE_MAX = 500;

export interface CatchUpParts {
  core: Core;
  pages: Pages;
  placing: Placing;
  /** A message that is held has changed. */
  changed(draft: Draft, message: ChatMessage): void;
}

export class CatchUp {
  /** By room, the rev up to which the held messages have all changes. */
  #revs = new Map<string, number>();
  /** Rooms whose missing messages, or changes, are being read. */
  #filling = new Set<string>();
  #reading = new Set<string>();

  constructor(private readonly parts: CatchUpParts) {}

  /** The held messages of a room have all changes up to this one. */
  isWhole(room: string, rev: number | undefined): void {
    if (rev !== undefined) this.#revs.set(room, rev);
  }

  knows(room: string): boolean {
    return this.#revs.has(room);
  }

  forget(room: string): void {
    this.#revs.delete(room);
  }

  clear(): void {
    this.#revs.clear();
  }

  /** A room is joined again, and its newest change is this one. */
  resumed(room: string, lastRev: number): void {
    if (lastRev > (this.#revs.get(room) ?? Infinity)) queueMicrotask(() => void this.#read(room));
  }

  /** A change was heard: if earlier ones were missed, read them. */
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
    else queueMicrotask(() => void this.#read(room));
  }

  /** Read the messages that a room has after those that are held. */
  async fill(room: string): Promise<void> {
    if (this.#filling.has(room)) return;
    this.#filling.add(room);
    try {
      for (;;) {
        const view = this.#core.get().views.get(room);
        if (view === undefined || !isBehind(view)) return;
        const isFar = view.lastSeq - view.newest > HOLE_MAX;
        const which = isFar ? {} : { after: view.newest };
        const isRead = await this.parts.pages.read(
          room,
          { ...which, limit: PAGE_SIZE },
          (draft, page) => {
            if (isFar) this.parts.placing.whole(draft, room, page, "tail");
            else this.parts.placing.behind(draft, room, page);
            this.#settle(draft, room, page);
          },
        );
        if (!isRead) return;
        this.#core.metrics.count("gapsFilled");
        this.#core.metrics.note("gap_filled", { room, after: view.newest });
      }
    } finally {
      this.#filling.delete(room);
    }
  }

  /** A server that has no messages after the held ones ends the search for them. */
  #settle(draft: Draft, room: string, page: Page): void {
    const view = draft.state.views.get(room);
    if (view === undefined || page.messages.length > 0) return;
    setView(draft, room, { ...view, lastSeq: view.newest });
  }

  /** Read the changes that were missed of messages that are held. */
  async #read(room: string): Promise<void> {
    if (this.#reading.has(room)) return;
    this.#reading.add(room);
    try {
      for (;;) {
        const whole = this.#revs.get(room);
        if (whole === undefined || !this.#core.get().can("changes")) return;
        const ack = await this.parts.pages.ask(room, { changedAfter: whole, limit: PAGE_SIZE });
        if (!ack.ok) return;
        const page = pageOf(ack);
        this.#core.batch.now((draft) => this.#placeChanged(draft, page));
        const last = page.messages.at(-1)?.rev;
        const isDone = !ack.hasMore || last === undefined;
        this.#revs.set(room, isDone ? Math.max(ack.lastRev, last ?? 0) : last);
        if (isDone) return;
      }
    } finally {
      this.#reading.delete(room);
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

  get #core(): Core {
    return this.parts.core;
  }
}
