/**
 * A thread that is open beside its room. Its messages may lie outside the stretch that is held of
 * the room.
 */
import type { ChatMessage } from "../websocket/types";
import type { Draft } from "./batch";
import { ANSWER_ROWS, type Core } from "./core";
import { stored, type HeldRows, type StoredMessage } from "./messages";
import { PAGE_SIZE, WINDOW_MAX } from "./state";
import { merged } from "./changes";
import { keepUnsent } from "./windows";

export interface ThreadsParts {
  core: Core;
  rows: HeldRows;
}

export class Threads {
  /** The room of the open thread. */
  #room = "";
  #serial = 0;

  constructor(private readonly parts: ThreadsParts) {}

  /** Whether the open thread shows a message. */
  isHeld(messageId: string): boolean {
    const { thread } = this.#core.get();
    return (
      thread !== undefined && (thread.threadId === messageId || thread.ids.includes(messageId))
    );
  }

  async open(threadId: string): Promise<void> {
    this.close();
    const { messages, room } = this.#core.get();
    const root = messages.get(threadId);
    this.#room = root?.connectionId ?? room;
    const waiting = [...messages.values()].filter(
      (message) => message.threadId === threadId && message.seq === undefined,
    );
    const ids = waiting.map((message) => message.messageId);
    this.#core.batch.now((draft) => {
      draft.set({
        thread: {
          threadId,
          ids,
          hasOlder: false,
          isLoading: true,
          ...(root === undefined ? {} : { root }),
        },
      });
    });
    await this.#read(threadId, undefined);
  }

  /** There is a connection: read what could not be read, or was written meanwhile. */
  connected(): void {
    const { thread, messages, room } = this.#core.get();
    if (thread === undefined) return;
    this.#room = messages.get(thread.threadId)?.connectionId ?? (this.#room || room);
    this.#core.batch.now((draft) => {
      const { failure: _failure, ...rest } = thread;
      draft.set({ thread: { ...rest, isLoading: true } });
    });
    void this.#read(thread.threadId, undefined);
  }

  async loadOlder(): Promise<void> {
    const { thread, messages } = this.#core.get();
    if (thread === undefined || thread.isLoading || !thread.hasOlder) return;
    const before = messages.get(thread.ids[0] ?? "")?.seq;
    this.#core.batch.now((draft) => draft.set({ thread: { ...thread, isLoading: true } }));
    await this.#read(thread.threadId, before);
  }

  close(): void {
    this.#serial += 1;
    const { thread } = this.#core.get();
    if (thread === undefined) return;
    this.#core.batch.now((draft) => {
      const shown = new Set(draft.state.views.get(this.#room)?.ids);
      const messages = draft.map("messages");
      for (const id of [thread.threadId, ...thread.ids]) if (!shown.has(id)) messages.delete(id);
      draft.set({ thread: undefined });
    });
  }

  /** The server has another log, which may have the thread: it is read once there is a connection. */
  dropAll(draft: Draft): void {
    const { thread } = draft.state;
    if (thread === undefined) return;
    const { threadId } = thread;
    const kept = keepUnsent([threadId, ...thread.ids], draft.map("messages"));
    const ids = kept.filter((id) => id !== threadId);
    draft.set({ thread: { threadId, ids, hasOlder: false, isLoading: true } });
  }

  /** A message was placed, or waits: it may belong to the open thread. */
  place(draft: Draft, message: ChatMessage): void {
    const { thread } = draft.state;
    if (thread === undefined || message.threadId !== thread.threadId) return;
    const messages = draft.map("messages");
    if (!messages.has(message.messageId)) messages.set(message.messageId, message);
    draft.set({
      thread: { ...thread, ids: ordered([...thread.ids, message.messageId], messages) },
    });
  }

  /** The opener has changed. */
  changed(draft: Draft, message: ChatMessage): void {
    const { thread } = draft.state;
    if (thread?.threadId === message.messageId) draft.set({ thread: { ...thread, root: message } });
  }

  async #read(threadId: string, before: number | undefined): Promise<void> {
    const serial = this.#serial;
    const ack = await this.#core.ask("chat:history:get", {
      connectionId: this.#room,
      threadId,
      limit: PAGE_SIZE,
      answerRows: ANSWER_ROWS,
      ...(before === undefined ? {} : { before }),
    });
    if (serial !== this.#serial) return;
    this.#core.batch.now((draft) => {
      const { thread } = draft.state;
      if (thread === undefined) return;
      const { failure: _failure, ...rest } = thread;
      if (!ack.ok) {
        draft.set({ thread: { ...rest, isLoading: false, failure: ack.error.message } });
        return;
      }
      const come = ack.messages.map(stored);
      const root = ack.root === undefined ? rest.root : stored(ack.root);
      this.#keep(draft, root === undefined ? come : [root as StoredMessage, ...come]);
      const ids = ordered(
        [...rest.ids, ...come.map(({ messageId }) => messageId)],
        draft.state.messages,
      );
      const { hasMore } = ack;
      draft.set({
        thread: {
          ...rest,
          ids,
          hasOlder: hasMore && ids.length < WINDOW_MAX,
          isLoading: false,
          ...(root === undefined ? {} : { root: draft.state.messages.get(threadId) ?? root }),
        },
      });
    });
  }

  #keep(draft: Draft, come: readonly StoredMessage[]): void {
    const messages = draft.map("messages");
    for (const message of come) {
      const held = messages.get(message.messageId);
      messages.set(message.messageId, held === undefined ? message : merged(held, message));
      this.parts.rows.came(messages, message.messageId);
    }
  }

  get #core(): Core {
    return this.parts.core;
  }
}

/** Each message once, by seq; those without a number yet stand last. */
function ordered(ids: readonly string[], messages: ReadonlyMap<string, ChatMessage>): string[] {
  const seqOf = (id: string) => messages.get(id)?.seq ?? Infinity;
  return [...new Set(ids)].toSorted((a, b) => {
    const [one, other] = [seqOf(a), seqOf(b)];
    return one === other ? 0 : one - other;
  });
}
