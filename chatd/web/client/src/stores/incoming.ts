/** What each event of the server changes. Events of a newer server have no entry, and change nothing. */
import type { Typing } from "./typing";
import type { ServerEvents, StatusConnected } from "../websocket/wire.gen";
import type { Draft } from "./batch";
import { deleted, edited, hitsAfter, reacted } from "./changes";
import type { Core } from "./core";
import { stored } from "./messages";
import { heardName } from "./names";
import type { Presences } from "./presence";
import { roomAfterDeletion, roomTold } from "./reads";
import type { Rooms } from "./rooms";
import type { Threads } from "./threads";
import type { ChatMessage, Room } from "../websocket/types";

/** The time until a room is joined again that the server could not let the user into. Unit: ms. */
const REJOIN_MS = 10_000;

export interface IncomingParts {
  core: Core;
  rooms: Rooms;
  threads: Threads;
  presences: Presences;
  typing: Typing;
  welcomed(draft: Draft, status: StatusConnected): void;
  expiring(at: number): void;
  /** A room was given or taken away. */
  roomsChanged(): void;
}

type Handlers = { [E in keyof ServerEvents]?: (payload: ServerEvents[E]) => void };

/** What takes an event. Each is handled as part of its turn's one change. */
export function createIncoming(parts: IncomingParts): (name: string, payload: unknown) => void {
  const { core, rooms, threads, presences, typing } = parts;
  const { answers, batch } = core;

  const handlers: Handlers = {
    "connection:status": (status) => {
      if (status.status === "connected") batch.later((draft) => parts.welcomed(draft, status));
    },
    "connection:left": ({ connectionId, code }) =>
      batch.later((draft) => {
        rooms.left(draft, connectionId);
        const text =
          code === "room_deleted"
            ? `An administrator has deleted everything that was said in ${connectionId}.`
            : `You may not use ${connectionId} any more.`;
        core.notify({ kind: "error", text, stays: true });
        parts.roomsChanged();
      }),
    "connection:granted": ({ connectionId, title }) =>
      batch.later(() => {
        core.notify({ kind: "info", text: `You may use ${title ?? connectionId} now.` });
        parts.roomsChanged();
      }),
    "connection:role": ({ connectionId, role }) =>
      batch.later((draft) => changeRoom(draft, connectionId, (room) => ({ ...room, role }))),
    "chat:history": (page) => batch.later((draft) => rooms.history(draft, page)),
    "chat:message": (message) => {
      if (typeof message.messageId !== "string" || !Number.isSafeInteger(message.seq)) return;
      batch.later((draft) => {
        rooms.placing.live(draft, stored(message));
        typing.stopped(message.connectionId, message.userId);
      });
    },
    "chat:message:status": ({ messageId, status }) =>
      batch.later((draft) =>
        changeMessage(draft, threads, messageId, (message) =>
          message.status === "sent" ? { ...message, status } : message,
        ),
      ),
    "chat:message:edited": (change) =>
      batch.later((draft) => {
        changeMessage(draft, threads, change.messageId, (message) => edited(message, change));
        changeHits(draft, change.messageId, { content: change.content });
        rooms.catchUp.changed(draft, change.connectionId, change.rev);
      }),
    "chat:message:deleted": (change) =>
      batch.later((draft) => {
        const message = draft.state.messages.get(change.messageId);
        const me = draft.state.me?.userId;
        if (message !== undefined) {
          changeRoom(draft, change.connectionId, (room) => roomAfterDeletion(room, message, me));
        }
        changeMessage(draft, threads, change.messageId, (held) => deleted(held, change));
        changeHits(draft, change.messageId, { isDeleted: true });
        rooms.catchUp.changed(draft, change.connectionId, change.rev);
      }),
    "chat:message:reaction": (change) =>
      batch.later((draft) => {
        changeMessage(draft, threads, change.messageId, (message) => reacted(message, change));
        rooms.catchUp.changed(draft, change.connectionId, change.rev);
      }),
    "chat:read": (marker) =>
      batch.later((draft) =>
        changeRoom(draft, marker.connectionId, (room) => roomTold(room, marker)),
      ),
    "chat:hint": ({ messageId, code, message: sentence }) =>
      batch.later((draft) =>
        changeMessage(draft, threads, messageId, (message) => ({
          ...message,
          hint: sentence === undefined ? { code } : { code, message: sentence },
        })),
      ),
    "chat:answer:start": (event) => {
      answers.started(event, core.serverNow());
      batch.later((draft) => rooms.placing.answer(draft, event.connectionId, event.messageId));
    },
    "chat:answer:status": (event) => answers.progressed(event),
    "chat:answer:rows": (event) => answers.rowsCame(event),
    "chat:answer:end": (event) => answers.ended(event),
    "chat:typing": (notice) => {
      if (notice.userId !== core.get().me?.userId) typing.heard(notice);
    },
    "presence:snapshot": (told) =>
      batch.later((draft) => {
        const snapshot = { ...told, users: told.users.filter(isSomebody) };
        presences.snapshot(snapshot);
        for (const { userId, name } of snapshot.users) heardName(draft, userId, name);
        showPresence(draft, snapshot.connectionId, presences);
      }),
    "presence:update": (notice) =>
      batch.later((draft) => {
        if (!isSomebody(notice)) return;
        presences.changed(notice);
        heardName(draft, notice.userId, notice.name);
        showPresence(draft, notice.connectionId, presences);
      }),
    "queue:overflow": ({ connectionId, fromSeq, toSeq }) =>
      core.metrics.note("queue_overflow", { room: connectionId, fromSeq, toSeq }),
    // Whoever asked has the refusal in its ack, and shows it; but nobody has asked for the rooms of a
    // CONNECT.
    "chat:error": ({ event, code, connectionId: room }) => {
      core.metrics.note("refused", { event, code, room });
      const mayPass = event === "connection:join" && /^(storage_.*|internal)$/.test(code);
      if (!mayPass || room === undefined) return;
      rooms.joins.left(room);
      core.clock.after(REJOIN_MS, () => void rooms.joins.beIn(room));
    },
    "auth:expiring": ({ expiresAt }) => parts.expiring(expiresAt),
  };

  return (name, payload) => {
    if (!Object.hasOwn(handlers, name) || typeof payload !== "object" || payload === null) return;
    const handle = handlers[name as keyof Handlers] as ((payload: unknown) => void) | undefined;
    try {
      handle?.(payload);
    } catch (error) {
      core.metrics.note("event_failed", { event: name, error: String(error).slice(0, 200) });
    }
  };
}

/** Whether an event says who is meant: without that, nobody can be shown. */
function isSomebody(user: { userId: unknown } | null | undefined): boolean {
  return typeof user?.userId === "string";
}

function changeMessage(
  draft: Draft,
  threads: Threads,
  messageId: string,
  change: (message: ChatMessage) => ChatMessage,
): void {
  const message = draft.state.messages.get(messageId);
  if (message === undefined) return;
  const next = change(message);
  if (next === message) return;
  draft.map("messages").set(messageId, next);
  threads.changed(draft, next);
}

function changeRoom(draft: Draft, connectionId: string, change: (room: Room) => Room): void {
  const { rooms } = draft.state;
  const index = rooms.findIndex((room) => room.connectionId === connectionId);
  const room = rooms[index];
  if (room === undefined) return;
  const next = change(room);
  if (next !== room) draft.set({ rooms: rooms.with(index, next) });
}

function changeHits(
  draft: Draft,
  messageId: string,
  change: { content?: string; isDeleted?: boolean },
): void {
  const { search } = draft.state;
  if (search === undefined) return;
  const hits = hitsAfter(search.hits, messageId, change);
  if (hits !== search.hits) draft.set({ search: { ...search, hits } });
}

function showPresence(draft: Draft, room: string, presences: Presences): void {
  if (room === draft.state.room) draft.set({ presence: presences.of(room) });
}
