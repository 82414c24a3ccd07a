/** Who can be mentioned in a room, and how. */
import type { ChatState } from "../stores/state";
import type { PresenceStatus } from "../websocket/types";

/** The user ids of databases, and of the server itself, begin like this; they read no mentions. */
const NOBODYS = ["db:", "chatd:"];

export interface Person {
  userId: string;
  name?: string;
  status?: PresenceStatus;
}

const RANK: Record<PresenceStatus, number> = { online: 0, away: 1, offline: 2 };

/** Those who are in the room, and the authors of its messages that the page holds; not the user. */
export function peopleOf(state: ChatState, room: string): Person[] {
  const ids = new Set<string>(state.room === room ? state.presence.keys() : []);
  for (const messageId of state.views.get(room)?.ids ?? []) {
    const message = state.messages.get(messageId);
    if (message !== undefined) ids.add(message.userId);
  }
  if (state.me !== undefined) ids.delete(state.me.userId);
  return [...ids]
    .filter((userId) => !NOBODYS.some((prefix) => userId.startsWith(prefix)))
    .map((userId) => personOf(state, userId))
    .toSorted((one, other) => rankOf(one) - rankOf(other) || compare(one, other));
}

function personOf(state: ChatState, userId: string): Person {
  const name = state.names.get(userId);
  const status = state.presence.get(userId);
  return {
    userId,
    ...(name === undefined ? {} : { name }),
    ...(status === undefined ? {} : { status }),
  };
}

function rankOf(person: Person): number {
  return RANK[person.status ?? "offline"];
}

function compare(one: Person, other: Person): number {
  return (one.name ?? one.userId).localeCompare(other.name ?? other.userId);
}

/**
 * What mentions a person and nobody else: the name, or the id if somebody else has the same name.
 */
export function mentionOf(person: Person, people: readonly Person[]): string {
  const name = person.name?.toLowerCase();
  const isOwn =
    name !== undefined && !people.some((other) => other !== person && isAlike(other, name));
  return `@${isOwn ? person.name : person.userId}`;
}

function isAlike(other: Person, name: string): boolean {
  return other.name?.toLowerCase() === name || other.userId.toLowerCase() === name;
}

/** Whether a person may be meant: the name, a word of it, or the id begins with what was typed. */
export function isMeant(person: Person, typed: string): boolean {
  const wanted = typed.toLocaleLowerCase();
  const name = (person.name ?? "").toLocaleLowerCase();
  const begins = [name, person.userId.toLowerCase(), ...name.split(/\s+/)];
  return begins.some((text) => text !== "" && text.startsWith(wanted));
}
