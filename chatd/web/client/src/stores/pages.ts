/** Pages of rooms that the page asks for: one at a time for each room that a user moves through. */
import type { HistoryGet, RoomHistory } from "../websocket/wire.gen";
import type { Draft } from "./batch";
import { ANSWER_ROWS, type Core } from "./core";
import { stored } from "./messages";
import { setView } from "./placing";
import { emptyView, type Page } from "./windows";

export interface PagesParts {
  core: Core;
  /** Another number for each connection: a page of an older one is not placed. */
  connection(): number;
  /** A page has come, and is placed next. */
  come(draft: Draft, page: Page): void;
  /** A page was placed, at a time when the room's newest change was this one. */
  placed(room: string, lastRev: number | undefined): void;
}

export class Pages {
  /** Who waits for the page of a room that is being read. */
  #waiting = new Map<string, (() => void)[]>();

  constructor(private readonly parts: PagesParts) {}

  /** Ask for a page and place it. Ends the loading that was begun. False if no page came. */
  async read(
    room: string,
    which: Omit<HistoryGet, "connectionId">,
    place: (draft: Draft, page: Page) => void,
  ): Promise<boolean> {
    const connection = this.parts.connection();
    const ack = await this.ask(room, which);
    this.#core.batch.now((draft) => {
      const view = draft.state.views.get(room);
      if (view !== undefined) setView(draft, room, { ...view, isLoading: false });
      if (!ack.ok || connection !== this.parts.connection()) return;
      const page = pageOf(ack);
      this.parts.come(draft, page);
      place(draft, page);
      this.parts.placed(room, ack.lastRev);
    });
    this.#wake(room);
    if (!ack.ok && this.#core.wire() !== undefined) {
      this.#core.notify({ kind: "error", text: ack.error.message, room });
    }
    return ack.ok;
  }

  /** Ask for a page, and place nothing. */
  ask(room: string, which: Omit<HistoryGet, "connectionId">) {
    return this.#core.ask("chat:history:get", {
      connectionId: room,
      answerRows: ANSWER_ROWS,
      ...which,
    });
  }

  /** Whether a page may be read now: one at a time for each room. */
  begin(room: string): boolean {
    if (this.#core.get().views.get(room)?.isLoading === true) return false;
    this.#core.batch.now((draft) => {
      const view = draft.state.views.get(room) ?? emptyView();
      setView(draft, room, { ...view, isLoading: true });
    });
    return true;
  }

  /**
   * Begin as soon as no other page of the room is being read: what a user asks for is never
   * skipped.
   */
  async turn(room: string): Promise<void> {
    while (!this.begin(room)) {
      await new Promise<void>((wake) => {
        this.#waiting.set(room, [...(this.#waiting.get(room) ?? []), wake]);
      });
    }
  }

  /** The page came by itself, or is not read after all. */
  finish(room: string): void {
    this.#core.batch.now((draft) => {
      const view = draft.state.views.get(room);
      if (view !== undefined) setView(draft, room, { ...view, isLoading: false });
    });
    this.#wake(room);
  }

  #wake(room: string): void {
    const waiting = this.#waiting.get(room) ?? [];
    this.#waiting.delete(room);
    for (const wake of waiting) wake();
  }

  get #core(): Core {
    return this.parts.core;
  }
}

export function pageOf(page: RoomHistory): Page {
  const { messages, hasMore, firstSeq, lastSeq } = page;
  return { messages: messages.map(stored), hasMore, firstSeq, lastSeq };
}
