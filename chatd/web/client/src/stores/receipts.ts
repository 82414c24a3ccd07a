/**
 * Receipts, both ways: this user acknowledges what it has received, and learns which of its own
 * messages somebody has. Neither is lost with a connection: what the server has not confirmed is
 * sent again, and what it announced meanwhile is read.
 */
import type { ChatMessage } from "../websocket/types";
import type { Draft } from "./batch";
import type { Core } from "./core";
import { stored, type StoredMessage } from "./messages";
import { Told } from "./reads";
import { PAGE_SIZE } from "./state";

interface Received {
  messageId: string;
  seq: number;
}

export interface ReceiptsParts {
  core: Core;
  /** The user of the connection. */
  me(): string | undefined;
  /** A message that is held has changed. */
  changed(draft: Draft, message: ChatMessage): void;
}

export class Receipts {
  /** How far messages were received, by room. */
  #received = new Map<string, number>();
  readonly #told: Told<Received>;
  /** Rooms for which the page is reading who has this user's messages. */
  readonly #reading = new Set<string>();

  constructor(private readonly parts: ReceiptsParts) {
    const { core } = parts;
    this.#told = new Told(core.clock, (room, newest) => {
      if (core.wire() === undefined) return false;
      void this.#acknowledge(room, newest);
      return true;
    });
  }

  /** A message has come: it and all before it are acknowledged. */
  received({ connectionId: room, messageId, seq, userId }: StoredMessage): void {
    if (userId === this.parts.me() || seq <= (this.#received.get(room) ?? 0)) return;
    this.#received.set(room, seq);
    this.#told.put(room, { messageId, seq });
  }

  /** There is a connection again: acknowledge what could not be acknowledged before. */
  retry(): void {
    this.#told.retry();
  }

  /** The server has another log: nothing of it was received. */
  forgetReceived(): void {
    this.#received.clear();
  }

  clear(): void {
    this.#told.clear();
    this.#received.clear();
  }

  async #acknowledge(room: string, newest: Received): Promise<void> {
    const { messageId } = newest;
    const ack = await this.parts.core.ask("chat:ack", {
      messageId,
      connectionId: room,
      upTo: true,
    });
    const isLost = !ack.ok && this.parts.core.wire() === undefined;
    if (isLost && this.#received.get(room) === newest.seq) this.#told.put(room, newest);
  }

  /**
   * A room is joined again: the server told nobody here who received this user's messages
   * meanwhile. One page says it for the newest ones.
   */
  async resumed(room: string): Promise<void> {
    const newest = this.#newestUnconfirmed(room);
    if (newest === undefined || this.#reading.has(room)) return;
    this.#reading.add(room);
    const { core } = this.parts;
    const ack = await core.ask("chat:history:get", {
      connectionId: room,
      before: newest + 1,
      limit: PAGE_SIZE,
      answerRows: 0,
    });
    this.#reading.delete(room);
    if (ack.ok) core.batch.now((draft) => ack.messages.map(stored).forEach(this.#place(draft)));
  }

  #place(draft: Draft): (come: ChatMessage) => void {
    return ({ messageId, status }) => {
      const held = draft.state.messages.get(messageId);
      if (held?.status !== "sent" || status !== "delivered") return;
      const next = { ...held, status };
      draft.map("messages").set(messageId, next);
      this.parts.changed(draft, next);
    };
  }

  /** The seq of this user's newest message that nobody is known to have. */
  #newestUnconfirmed(room: string): number | undefined {
    const { views, messages } = this.parts.core.get();
    const me = this.parts.me();
    for (const id of views.get(room)?.ids.toReversed() ?? []) {
      const message = messages.get(id);
      if (message?.userId === me && message?.status === "sent" && message.seq !== undefined) {
        return message.seq;
      }
    }
    return undefined;
  }
}
