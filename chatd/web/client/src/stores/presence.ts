/** Who is in each room, as the room's snapshot and what came since say. */
import type { PresenceStatus } from "../websocket/types";
import type { PresenceNotice, PresenceSnapshot } from "../websocket/wire.gen";

const NOBODY: ReadonlyMap<string, PresenceStatus> = new Map();

export class Presences {
  #rooms = new Map<string, ReadonlyMap<string, PresenceStatus>>();

  of(room: string): ReadonlyMap<string, PresenceStatus> {
    return this.#rooms.get(room) ?? NOBODY;
  }

  snapshot({ connectionId, users }: PresenceSnapshot): void {
    const here = users.filter((user) => user.status !== "offline");
    this.#rooms.set(connectionId, new Map(here.map((user) => [user.userId, user.status])));
  }

  changed({ connectionId, userId, status }: PresenceNotice): void {
    const here = new Map(this.of(connectionId));
    if (status === "offline") here.delete(userId);
    else here.set(userId, status);
    this.#rooms.set(connectionId, here);
  }

  leave(room: string): void {
    this.#rooms.delete(room);
  }

  clear(): void {
    this.#rooms.clear();
  }
}
