/** Which rooms a connection is in, and from where each was joined. */
import type { StatusConnected } from "../websocket/wire.gen";
import { ANSWER_ROWS, type Core } from "./core";

/** A room that does not exist: a CONNECT that names only this joins no room. */
export const NO_ROOM = "-";

export interface JoinsParts {
  core: Core;
  /** The room to open first. */
  first(): string | undefined;
  /** The last seq that is held of a room; undefined if nothing is. */
  since(room: string): number | undefined;
}

/** How a CONNECT names rooms. */
export interface FirstJoin {
  connectionId: string[];
  since?: Record<string, number>;
  epoch?: string;
}

export class Joins {
  #joined = new Map<string, { since?: number }>();
  #connection = 0;

  constructor(private readonly parts: JoinsParts) {}

  /** The rooms that this connection is in. */
  get names(): Iterable<string> {
    return this.#joined.keys();
  }

  /** Another number for each connection. */
  get connection(): number {
    return this.#connection;
  }

  has(room: string): boolean {
    return this.#joined.has(room);
  }

  /** Whether a room was joined from a seq on: its pages follow the held messages. */
  isResumed(room: string): boolean {
    return this.#joined.get(room)?.since !== undefined;
  }

  left(room: string): void {
    this.#joined.delete(room);
  }

  clear(): void {
    this.#connection += 1;
    this.#joined.clear();
  }

  /** What a CONNECT says about rooms. */
  atConnect(): FirstJoin {
    const { epoch, room: open } = this.#core.get();
    const room = open === "" ? (this.parts.first() ?? "") : open;
    this.#joined.clear();
    if (room === "") return { connectionId: [NO_ROOM] };
    const since = this.parts.since(room);
    this.#joined.set(room, since === undefined ? {} : { since });
    return {
      connectionId: [room],
      ...(since === undefined ? {} : { since: { [room]: since } }),
      ...(epoch === undefined ? {} : { epoch }),
    };
  }

  /** The server has let us in, and said which rooms there are. */
  welcomed(rooms: StatusConnected["rooms"]): void {
    this.#connection += 1;
    const permitted = new Set(rooms.map((room) => room.connectionId));
    for (const room of this.#joined.keys()) if (!permitted.has(room)) this.#joined.delete(room);
    const connection = this.#connection;
    queueMicrotask(() => void this.#joinRest(connection));
  }

  /** Join the open room, if the handshake did not name it; then the others, one after the other. */
  async #joinRest(connection: number): Promise<void> {
    const { room: open, rooms } = this.#core.get();
    if (open !== "" && !this.#joined.has(open)) await this.#join(open, this.parts.since(open));
    for (const { connectionId, lastSeq } of rooms) {
      if (connection !== this.#connection || this.#core.wire() === undefined) return;
      if (this.#joined.has(connectionId)) continue;
      const isJoined = await this.#join(connectionId, this.parts.since(connectionId) ?? lastSeq);
      if (!isJoined) return; // as many as may be
    }
  }

  /**
   * Be in a room; if the socket is in as many as it may be, another one is left, but not the open
   * one.
   */
  async beIn(room: string): Promise<void> {
    const join = () => this.#join(room, this.parts.since(room));
    if (this.#joined.has(room) || (await join())) return;
    const open = this.#core.get().room;
    const other = [...this.#joined.keys()].findLast((name) => name !== room && name !== open);
    if (other === undefined) return;
    this.#joined.delete(other);
    await this.#core.ask("connection:leave", { connectionId: other });
    await join();
  }

  async #join(room: string, since: number | undefined): Promise<boolean> {
    const connection = this.#connection;
    const { epoch } = this.#core.get();
    this.#joined.set(room, since === undefined ? {} : { since });
    const ack = await this.#core.ask("connection:join", {
      connectionId: room,
      answerRows: ANSWER_ROWS,
      ...(since === undefined ? {} : { since }),
      ...(epoch === undefined ? {} : { epoch }),
    });
    if (!ack.ok && connection === this.#connection) this.#joined.delete(room);
    return ack.ok || ack.error.code !== "rate_limited";
  }

  get #core(): Core {
    return this.parts.core;
  }
}
