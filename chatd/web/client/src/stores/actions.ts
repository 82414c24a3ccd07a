/** What a user can do, apart from moving through rooms: all functions of the state in one place. */
import type { PresenceStatus } from "../websocket/types";
import type { RunningAnswer } from "./answers";
import type { Core } from "./core";
import { linkOf } from "./exports";
import { stored } from "./messages";
import { roomReadTo, roomTold, type LocalMarkers, type Told } from "./reads";
import type { Rooms } from "./rooms";
import type { Schemas } from "./schemas";
import type { Searching } from "./search";
import type { Sending } from "./sending";
import { PAGE_SIZE, type ChatState } from "./state";
import type { Threads } from "./threads";

export interface ActionsParts {
  core: Core;
  rooms: Rooms;
  threads: Threads;
  reads: Told<number>;
  searching: Searching;
  schemas: Schemas;
  markers(): LocalMarkers | undefined;
  sending(): Sending | undefined;
  token(): string | undefined;
  url(): string;
  fetcher: typeof fetch;
  /** The connection has a new token. */
  refreshed(token: string): void;
  declare(status: PresenceStatus): void;
  retryNow(): void;
}

type StateActions = Pick<
  ChatState,
  | "can"
  | "retryMessage"
  | "discardMessage"
  | "markAsRead"
  | "openRoom"
  | "loadOlder"
  | "loadNewer"
  | "jumpTo"
  | "jumpToEnd"
  | "editMessage"
  | "deleteMessage"
  | "react"
  | "cancelAnswer"
  | "fetchAnswer"
  | "exportLink"
  | "openThread"
  | "loadOlderInThread"
  | "closeThread"
  | "runSearch"
  | "closeSearch"
  | "loadSchema"
  | "setTyping"
  | "setPresence"
  | "retryNow"
  | "refreshToken"
>;

export interface Actions {
  state: StateActions;
  /** Look for an answer whose end was not heard. */
  findLost(answer: RunningAnswer): Promise<void>;
  /** Tell the server how far a room was read. */
  tellRead(room: string, seq: number): Promise<void>;
}

export function createActions(parts: ActionsParts): Actions {
  const { core, rooms, threads, searching, schemas } = parts;

  const state: StateActions = {
    can: (feature) =>
      core.get().server?.features.some((known: string) => known === feature) ?? false,
    async retryMessage(messageId) {
      await parts.sending()?.retry(messageId);
    },
    async discardMessage(messageId) {
      return parts.sending()?.discard(messageId);
    },
    markAsRead,
    openRoom: (room, place) => rooms.openRoom(room, place),
    loadOlder: (room) => rooms.loadOlder(room),
    loadNewer: (room) => rooms.loadNewer(room),
    jumpTo: (room, place) => rooms.jumpTo(room, place),
    jumpToEnd: (room) => rooms.jumpToEnd(room),
    async editMessage(messageId, content) {
      const message = core.get().messages.get(messageId);
      if (message === undefined) return false;
      const { connectionId, rev = 0 } = message;
      return change("chat:message:edit", { messageId, connectionId, content, rev });
    },
    async deleteMessage(messageId) {
      const connectionId = core.get().messages.get(messageId)?.connectionId;
      if (connectionId === undefined) return false;
      return change("chat:message:delete", { messageId, connectionId });
    },
    async react(messageId, emoji, on) {
      const connectionId = core.get().messages.get(messageId)?.connectionId;
      if (connectionId === undefined) return false;
      return change("chat:message:react", { messageId, connectionId, emoji, on });
    },
    async cancelAnswer(questionId) {
      const { room } = core.get();
      const ack = await core.ask("answer:cancel", { messageId: questionId });
      if (!ack.ok) core.notify({ kind: "error", text: ack.error.message, room, questionId });
    },
    async fetchAnswer(messageId, room, how) {
      const { room: open } = core.get();
      const found = await findAnswer(messageId, room);
      if (found === true) return;
      if (found === NOT_THERE && core.answers.get(messageId) !== undefined) {
        core.answers.gone(messageId); // its card says so
      } else if (how?.silently !== true) {
        core.notify({ kind: "error", text: found, room: open });
      }
    },
    async exportLink(answerId, format) {
      const { room } = core.get();
      const token = parts.token();
      const { fetcher } = parts;
      const made =
        token === undefined
          ? { failure: "Sign in to download this." }
          : await linkOf(answerId, format, { url: parts.url(), token, fetcher });
      if ("link" in made) return made.link;
      core.notify({ kind: "error", text: made.failure, room });
      return undefined;
    },
    openThread: (threadId) => threads.open(threadId),
    loadOlderInThread: () => threads.loadOlder(),
    closeThread: () => threads.close(),
    runSearch: (query, options) => searching.run(query, options),
    closeSearch: () => searching.close(),
    loadSchema: (room) => schemas.load(room),
    setTyping(room, isTyping) {
      const event = isTyping ? "chat:typing:start" : "chat:typing:stop";
      core.wire()?.emit(event, { connectionId: room });
    },
    setPresence(status) {
      parts.declare(status);
      for (const connectionId of rooms.joins.names) {
        core.wire()?.emit("presence:update", { connectionId, status });
      }
    },
    retryNow: () => parts.retryNow(),
    async refreshToken(token) {
      const ack = await core.ask("auth:refresh", { token });
      if (!ack.ok) {
        const tokenRefusal = ack.error.message;
        if (core.get().expiringAt === undefined) core.notify({ kind: "error", text: tokenRefusal });
        else core.batch.now((draft) => draft.set({ tokenRefusal }));
        return false;
      }
      parts.refreshed(token);
      core.batch.now((draft) => draft.set({ expiringAt: undefined, tokenRefusal: undefined }));
      return true;
    },
  };

  function markAsRead(messageId: string): void {
    const { messages, rooms: known, me } = core.get();
    const { seq, connectionId = "" } = messages.get(messageId) ?? {};
    const index = known.findIndex((room) => room.connectionId === connectionId);
    const room = known[index];
    if (seq === undefined || room === undefined || seq <= room.readSeq) return;
    core.batch.now((draft) => {
      const ids = draft.state.views.get(connectionId)?.ids ?? [];
      const held = ids.flatMap((id) => draft.state.messages.get(id) ?? []);
      const { rooms: now } = draft.state;
      draft.set({ rooms: now.with(index, roomReadTo(now[index] ?? room, seq, held, me?.userId)) });
    });
    if (!state.can("read")) parts.markers()?.keep(connectionId, seq);
    parts.reads.put(connectionId, seq);
  }

  /** The change comes back as an event, with its place among the others. */
  async function change<
    E extends "chat:message:edit" | "chat:message:delete" | "chat:message:react",
  >(event: E, payload: Parameters<typeof core.ask<E>>[1]): Promise<boolean> {
    const { room } = core.get();
    const ack = await core.ask(event, payload);
    if (!ack.ok) core.notify({ kind: "error", text: ack.error.message, room });
    return ack.ok;
  }

  /** Read an answer and place it; returns true, or a sentence that says why that failed. */
  async function findAnswer(messageId: string, room: string): Promise<true | string> {
    if (!state.can("message_get")) return findInHistory(messageId, room);
    const ack = await core.ask("chat:message:get", { messageId, connectionId: room });
    if (!ack.ok) return ack.error.code === "not_found" ? NOT_THERE : ack.error.message;
    core.batch.now((draft) => rooms.placing.live(draft, stored(ack.message)));
    return true;
  }

  /**
   * An older server gives no message by its id: then its place must be known, or its question's
   * place.
   */
  async function findInHistory(messageId: string, room: string): Promise<true | string> {
    const { messages } = core.get();
    const held = messages.get(messageId);
    const questionId = held?.replyTo ?? core.answers.get(messageId)?.questionId ?? "";
    const asked = messages.get(questionId)?.seq;
    if (held?.seq === undefined && asked === undefined) return NOT_THERE;
    const which =
      held?.seq === undefined
        ? { after: asked ?? 0, limit: PAGE_SIZE }
        : { before: held.seq + 1, limit: 1 };
    const ack = await core.ask("chat:history:get", { connectionId: room, ...which });
    if (!ack.ok) return ack.error.message;
    const found = ack.messages.find((message) => message.messageId === messageId);
    if (found === undefined) return NOT_THERE;
    core.batch.now((draft) => rooms.placing.live(draft, stored(found)));
    return true;
  }

  return {
    state,
    async findLost(answer) {
      if (core.wire() === undefined) return; // its end may come with the connection
      const { answerId, connectionId } = answer;
      core.metrics.note("answer_lost", { answerId });
      if ((await findAnswer(answerId, connectionId)) === NOT_THERE) core.answers.gone(answerId);
    },
    async tellRead(room, seq) {
      const ack = await core.ask("chat:read", { connectionId: room, seq });
      if (!ack.ok) return;
      core.batch.later((draft) => {
        const index = draft.state.rooms.findIndex((known) => known.connectionId === room);
        const known = draft.state.rooms[index];
        if (known === undefined) return;
        draft.set({ rooms: draft.state.rooms.with(index, roomTold(known, ack)) });
      });
    },
  };
}

const NOT_THERE = "This answer is not there any more; ask again.";
