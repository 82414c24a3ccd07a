/** Messages of this user on their way: from the outbox to the server, and as the page shows them. */
import type { Database } from "../websocket/database";
import type { Gate } from "../websocket/gate";
import type { Turns } from "../websocket/lease";
import { counted } from "../format";
import { Outbox, OutboxUnwritable, type Kept, type OutboxNews } from "../websocket/outbox";
import { Sender } from "../websocket/sender";
import type { ChatMessage, ErrorDetails } from "../websocket/types";
import { uuid } from "../websocket/uuid";
import type { MessageAck } from "../websocket/wire.gen";
import type { Draft } from "./batch";
import type { Core } from "./core";
import { noticesOfWaiting } from "./notices";
import type { SendOptions } from "./state";
import { emptyView, placeLocal, without } from "./windows";

/** The limit if a server does not say how fast it takes messages. */
const MESSAGES_PER_MINUTE = 30;
/** The pause of a restart is not announced: it is over when the connection is back. */
const UNTOLD_CODE = "draining";
const VOLATILE =
  "This browser stores nothing for this page: what waits here is lost when the page is closed.";

export interface SendingParts {
  core: Core;
  database: Database;
  gate: Gate;
  turns: Turns;
  /** Have the socket be in a room. */
  beIn(room: string): Promise<void>;
  /** A message was stored under this number. */
  sent(draft: Draft, room: string, messageId: string, seq: number): void;
  /** A message of a thread waits. */
  inThread(draft: Draft, message: ChatMessage): void;
}

export class Sending {
  readonly #outbox: Outbox;
  readonly #sender: Sender;
  /** Messages that were in the outbox when it was last looked at, with their rooms. */
  #known = new Map<string, string>();
  #onItsWay: string | undefined;
  /** Messages that are stored, and that the outbox may still show for a moment. */
  #settled = new Set<string>();
  /**
   * Messages that were given up, to rooms that are closed to the user, and were reported to the
   * user.
   */
  #homeless = new Set<string>();
  #look = 0;
  #isVolatileTold = false;
  #isClosed = false;

  constructor(
    owner: string,
    private readonly parts: SendingParts,
  ) {
    const { core, gate, turns } = parts;
    this.#outbox = new Outbox(
      owner,
      parts.database,
      (news) => this.#changed(news),
      () => this.#tellVolatile(),
      (count) => this.#tellPutBack(count),
    );
    this.#sender = new Sender({
      outbox: this.#outbox,
      gate,
      turns,
      clock: core.clock,
      metrics: core.metrics,
      wire: () => core.wire(),
      beIn: (room) => parts.beIn(room),
      messagesPerMinute: () => core.get().limits?.messagesPerMinute ?? MESSAGES_PER_MINUTE,
      sending: (entry) => this.#isSending(entry),
      waiting: (entry) => this.#waits(entry),
      stored: (entry, ack) => this.#stored(entry, ack),
      refused: (entry, error) => this.#refused(entry, error),
      paced: () => this.#tellPacing(),
    });
  }

  /** Whether closing the page would lose something. */
  get isVolatile(): boolean {
    return this.#outbox.isVolatile;
  }

  /** There is a connection. */
  connected(): void {
    this.parts.gate.reopen(UNTOLD_CODE);
    this.#tellPacing();
    void this.look();
    void this.#sender.flush();
  }

  async send(content: string, options: SendOptions): Promise<string> {
    const { core } = this.parts;
    const connectionId = options.room ?? core.get().room;
    if (connectionId === "") throw new OutboxUnwritable("There is no room to write to yet.");
    const messageId = uuid();
    const { context, threadId } = options;
    await this.#outbox.add({
      messageId,
      connectionId,
      content,
      createdAt: core.clock.now(),
      ...(context === undefined ? {} : { context }),
      ...(threadId === undefined ? {} : { threadId }),
    });
    await this.look();
    return messageId;
  }

  async retry(messageId: string): Promise<void> {
    const entry = await this.#outbox.find(messageId);
    if (entry?.failed === undefined) return;
    const { failed: _failed, ...rest } = entry;
    await this.#outbox.update({ ...rest, tries: 0 });
  }

  /** Take a message out; returns its text, undefined if it is on its way, or sent. */
  async discard(messageId: string): Promise<string | undefined> {
    if (messageId === this.#onItsWay) return undefined;
    const entry = await this.#outbox.find(messageId);
    if (entry === undefined) return undefined;
    await this.#outbox.remove(entry, { kind: "removed", messageId });
    return entry.content;
  }

  /** Show what is in the outbox. Of several looks at once the last one counts. */
  async look(): Promise<void> {
    const look = ++this.#look;
    const entries = await this.#outbox.all();
    if (look !== this.#look || this.#isClosed) return;
    this.parts.core.batch.now((draft) => this.#show(draft, entries));
  }

  /** Forget all that waits. */
  async clear(): Promise<void> {
    await this.#outbox.clear();
  }

  close(): void {
    this.#isClosed = true;
    this.#sender.close();
    this.#outbox.close();
  }

  /** Somebody has changed the outbox: a tab with a connection tries to send what is there. */
  #changed(news: OutboxNews): void {
    if (this.#isClosed) return;
    if (news.kind === "sent") this.#sentElsewhere(news.messageId, news.timestamp);
    void this.look();
    void this.#sender.flush();
  }

  #show(draft: Draft, entries: readonly Kept[]): void {
    const waiting = new Map<string, number>();
    const pending = new Set<string>();
    const known = new Map<string, string>();
    const kept = new Set(entries.map((entry) => entry.messageId));
    const permitted = new Set(draft.state.rooms.map((room) => room.connectionId));
    for (const id of this.#settled) if (!kept.has(id)) this.#settled.delete(id);
    for (const entry of entries) {
      const { messageId, connectionId } = entry;
      if (this.#settled.has(messageId)) continue;
      known.set(messageId, connectionId);
      if (entry.failed === undefined) {
        pending.add(messageId);
        waiting.set(connectionId, (waiting.get(connectionId) ?? 0) + 1);
      }
      if (entry.failed !== undefined && draft.state.messages.get(messageId)?.seq !== undefined) {
        this.#hasArrived(entry);
      } else if (draft.state.isConnected && !permitted.has(connectionId)) {
        this.#tellHomeless(entry);
      }
      this.#place(draft, entry);
    }
    for (const [messageId, room] of this.#known) {
      if (!known.has(messageId)) this.#leave(draft, room, messageId);
    }
    this.#known = known;
    const { pendingMessages, waiting: waitedBefore, notices } = draft.state;
    const notSent = noticesOfWaiting(notices, (messageId) => known.has(messageId));
    if (notSent !== notices) draft.set({ notices: notSent });
    if (!isSameSet(pending, pendingMessages)) draft.set({ pendingMessages: pending });
    if (!isSameMap(waiting, waitedBefore)) draft.set({ waiting });
    this.#setPacing(draft);
  }

  /** It was given up for lack of an answer, but the server has it. */
  #hasArrived(entry: Kept): void {
    const { messageId, createdAt } = entry;
    void this.#outbox.remove(entry, { kind: "sent", messageId, timestamp: createdAt });
  }

  #place(draft: Draft, entry: Kept): void {
    const { connectionId } = entry;
    const held = draft.state.messages.get(entry.messageId);
    if (held?.seq !== undefined) return;
    const message = shown(entry, draft.state.me?.name, entry.messageId === this.#onItsWay);
    const messages = draft.map("messages");
    if (held?.refusal !== undefined && message.refusal === undefined) {
      messages.delete(entry.messageId); // tried again: nothing of the refusal stays
    }
    const view = draft.state.views.get(connectionId) ?? emptyView();
    const next = placeLocal(view, messages, message);
    if (next !== view) draft.map("views").set(connectionId, next);
    this.parts.inThread(draft, message);
  }

  /** It is no longer in the outbox: it was sent, or taken out in some tab. */
  #leave(draft: Draft, room: string, messageId: string): void {
    const message = draft.state.messages.get(messageId);
    if (message === undefined || message.seq !== undefined || message.status === "sent") return;
    const view = draft.state.views.get(room);
    if (view === undefined) return;
    draft.map("views").set(room, without(view, draft.map("messages"), messageId));
    const { thread } = draft.state;
    if (thread?.ids.includes(messageId) === true) {
      draft.set({ thread: { ...thread, ids: thread.ids.filter((id) => id !== messageId) } });
    }
  }

  #isSending(entry: Kept): void {
    this.#onItsWay = entry.messageId;
    this.#change(entry.messageId, { status: "sending" });
  }

  #waits(entry: Kept): void {
    this.#onItsWay = undefined;
    this.#change(entry.messageId, { status: "pending" });
  }

  #stored(entry: Kept, ack: MessageAck): void {
    const { messageId, connectionId } = entry;
    this.#onItsWay = undefined;
    this.#settled.add(messageId);
    this.parts.core.batch.now((draft) => {
      this.#settle(draft, connectionId, messageId, ack.timestamp);
      this.parts.sent(draft, connectionId, messageId, ack.seq);
    });
  }

  #sentElsewhere(messageId: string, timestamp: number): void {
    const room = this.#known.get(messageId);
    if (room === undefined) return;
    this.parts.core.batch.now((draft) => this.#settle(draft, room, messageId, timestamp));
  }

  #settle(draft: Draft, room: string, messageId: string, timestamp: number): void {
    const message = draft.state.messages.get(messageId);
    if (message !== undefined && message.seq === undefined) {
      const { refusal: _refusal, ...rest } = message;
      draft.map("messages").set(messageId, { ...rest, status: "sent", timestamp });
    }
    if (!draft.state.pendingMessages.has(messageId)) return;
    const pending = new Set(draft.state.pendingMessages);
    pending.delete(messageId);
    const waiting = draft.map("waiting");
    const left = (waiting.get(room) ?? 1) - 1;
    if (left > 0) waiting.set(room, left);
    else waiting.delete(room);
    draft.set({ pendingMessages: pending });
  }

  #refused(entry: Kept, refusal: ErrorDetails): void {
    this.#onItsWay = undefined;
    this.#change(entry.messageId, { status: "error", refusal });
  }

  #change(messageId: string, change: Partial<ChatMessage>): void {
    this.parts.core.batch.now((draft) => {
      const message = draft.state.messages.get(messageId);
      if (message === undefined || message.seq !== undefined) return;
      draft.map("messages").set(messageId, { ...message, ...change });
    });
  }

  #tellPacing(): void {
    this.parts.core.batch.later((draft) => this.#setPacing(draft));
  }

  #setPacing(draft: Draft): void {
    const now = this.parts.gate.pacing();
    const isTold = now !== undefined && now.code !== UNTOLD_CODE && draft.state.waiting.size > 0;
    const before = draft.state.pacing;
    if (!isTold) {
      if (before !== undefined) draft.set({ pacing: undefined });
    } else if (before?.until !== now.until || before.code !== now.code) draft.set({ pacing: now });
  }

  /** A message of a room that the user may no longer use shows nowhere: its text is offered. */
  #tellHomeless({ messageId, connectionId, content, failed }: Kept): void {
    if (failed === undefined || this.#homeless.has(messageId)) return;
    this.#homeless.add(messageId);
    this.parts.core.notify({
      kind: "error",
      text: `Your message to ${connectionId} was not sent. ${failed.message}`,
      kept: content,
      messageId,
    });
  }

  #tellPutBack(count: number): void {
    const words = `${counted(count, "waiting message")} ${count === 1 ? "was" : "were"}`;
    const text = `What this browser keeps for this page was cleared. ${words} put back.`;
    this.parts.core.notify({ kind: "info", text });
  }

  #tellVolatile(): void {
    if (this.#isVolatileTold) return;
    this.#isVolatileTold = true;
    this.parts.core.notify({ kind: "error", text: VOLATILE, stays: true });
  }
}

function isSameSet(one: ReadonlySet<string>, other: ReadonlySet<string>): boolean {
  return one.size === other.size && [...one].every((value) => other.has(value));
}

function isSameMap(one: ReadonlyMap<string, number>, other: ReadonlyMap<string, number>): boolean {
  return one.size === other.size && [...one].every(([key, value]) => other.get(key) === value);
}

/** A message that is not stored, as the room shows it. */
function shown(entry: Kept, name: string | undefined, isSending: boolean): ChatMessage {
  const { messageId, connectionId, content, context, threadId, createdAt, failed } = entry;
  const userId = entry.owner.slice(entry.owner.indexOf("\n") + 1);
  const status = failed !== undefined ? "error" : isSending ? "sending" : "pending";
  return {
    messageId,
    connectionId,
    userId,
    content,
    timestamp: createdAt,
    status,
    ...(name === undefined ? {} : { name }),
    ...(context === undefined ? {} : { context }),
    ...(threadId === undefined ? {} : { threadId }),
    ...(failed === undefined ? {} : { refusal: failed }),
  };
}
