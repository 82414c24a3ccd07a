/** A server of a few lines behind a fake wire: what it is asked it notes, and answers as told. */
import type { ConnectFailure, OpenWire, Wire, WireListener } from "../src/websocket/wire";
import type {
  ClientEvents,
  ConnectAuth,
  PublishedMessage,
  RoomHistory,
  StatusConnected,
} from "../src/websocket/wire.gen";
import type { Clock } from "../src/websocket/clock";

type Ask = { event: keyof ClientEvents; payload: Record<string, unknown> };
type Answer = (payload: never) => unknown;

const FEATURES = [
  "questions",
  "read",
  "message_get",
  "edit",
  "reactions",
  "mentions",
  "threads",
  "answer_rows",
  "schema",
  "changes",
] as const;

/** One socket that a page has opened. */
export class FakeWire implements Wire {
  isConnected = false;
  auths: ConnectAuth[] = [];
  emitted: Ask[] = [];
  asked: Ask[] = [];
  #cut = new Set<(error: Error) => void>();

  constructor(
    private readonly server: FakeServer,
    readonly url: string,
    readonly listener: WireListener,
  ) {}

  connect(auth: ConnectAuth): void {
    this.auths.push(auth);
    this.server.connects(this, auth);
  }

  disconnect(): void {
    this.isConnected = false;
    this.#drop();
  }

  emit<E extends keyof ClientEvents>(event: E, payload: ClientEvents[E]): void {
    this.emitted.push({ event, payload: payload as never });
  }

  ask<E extends keyof ClientEvents>(event: E, payload: ClientEvents[E], timeoutMs: number) {
    this.asked.push({ event, payload: payload as never });
    const answer = this.server.answers[event] as Answer | undefined;
    return new Promise<never>((resolve, reject) => {
      this.#cut.add(reject);
      const stop = this.server.clock.after(timeoutMs, () => reject(new Error("timeout")));
      const given = answer?.(payload as never);
      if (given === undefined) return; // no answer
      stop();
      void Promise.resolve(given).then((value) => resolve(value as never));
    });
  }

  /** The server, or the network, ends the connection. */
  lose(reason = "transport close"): void {
    if (!this.isConnected) return;
    this.isConnected = false;
    this.listener.lost(reason);
    this.#drop();
  }

  fail(failure: ConnectFailure): void {
    this.isConnected = false;
    this.listener.failed(failure);
  }

  say(name: string, payload: unknown): void {
    this.listener.event(name, payload);
  }

  #drop(): void {
    for (const reject of this.#cut) reject(new Error("socket has been disconnected"));
    this.#cut.clear();
  }
}

export class FakeServer {
  wires: FakeWire[] = [];
  status: StatusConnected;
  /** What a room has, by room. */
  log = new Map<string, PublishedMessage[]>();
  lastRev = 0;
  /** Whether a CONNECT is answered at once. */
  isUp = true;
  /** What a CONNECT gets in the place of a welcome. */
  refusal: ConnectFailure | undefined;
  answers: Partial<Record<keyof ClientEvents, Answer>> = {};

  constructor(readonly clock: Clock) {
    this.status = {
      status: "connected",
      userId: "ada",
      name: "Ada",
      serverTime: clock.now(),
      epoch: "e1",
      expiresAt: clock.now() + 3_600_000,
      resumed: false,
      rooms: [],
      limits: {
        contentChars: 10_000,
        historyPage: 200,
        messagesPerMinute: 30,
        typingPerMinute: 10,
        maxPayload: 1_000_000,
      },
      server: { version: "1.0.0", features: [...FEATURES], commands: [] },
    };
    this.answers["chat:history:get"] = (asked: Parameters<FakeServer["page"]>[0]) => ({
      ok: true,
      ...this.page(asked),
    });
    this.answers["connection:join"] = (asked: { connectionId: string; since?: number }) => {
      this.join(this.wire, asked.connectionId, asked.since, this.status.epoch);
      return { ok: true, connectionId: asked.connectionId, lastSeq: 0, epoch: this.status.epoch };
    };
    this.answers["chat:message"] = (sent: ClientEvents["chat:message"]) => this.store(sent);
    this.answers["chat:read"] = (read: ClientEvents["chat:read"]) => ({
      ok: true,
      connectionId: read.connectionId,
      readSeq: read.seq,
      unread: 0,
      mentions: 0,
    });
  }

  readonly open: OpenWire = (url, listener) => {
    const wire = new FakeWire(this, url, listener);
    this.wires.push(wire);
    return wire;
  };

  /** The newest wire. */
  get wire(): FakeWire {
    const wire = this.wires.at(-1);
    if (wire === undefined) throw new Error("Nobody has connected.");
    return wire;
  }

  /** All that was asked, on whatever wire. */
  asked<E extends keyof ClientEvents>(event: E): ClientEvents[E][] {
    const all = this.wires.flatMap((wire) => [...wire.asked, ...wire.emitted]);
    return all.filter((ask) => ask.event === event).map((ask) => ask.payload as never);
  }

  connects(wire: FakeWire, auth: ConnectAuth): void {
    if (!this.isUp) {
      queueMicrotask(() => wire.fail({ message: "websocket error" }));
      return;
    }
    const { refusal } = this;
    if (refusal !== undefined) {
      queueMicrotask(() => wire.fail(refusal));
      return;
    }
    queueMicrotask(() => {
      wire.isConnected = true;
      const rooms = this.status.rooms.map((room) => ({
        ...room,
        lastSeq: this.of(room.connectionId).at(-1)?.seq ?? 0,
      }));
      wire.say("connection:status", { ...this.status, rooms, serverTime: this.clock.now() });
      for (const room of [auth.connectionId ?? []].flat()) {
        this.join(wire, room, auth.since?.[room] ?? undefined, auth.epoch);
      }
    });
  }

  join(wire: FakeWire, room: string, since?: number, epoch?: string): void {
    if (!this.status.rooms.some((known) => known.connectionId === room)) {
      wire.say("chat:error", { event: "connection:join", code: "forbidden_room", message: "" });
      return;
    }
    const isKnown = since !== undefined && epoch === this.status.epoch;
    const page = this.page({
      connectionId: room,
      ...(isKnown ? { after: since, limit: 200 } : {}),
    });
    const reset = since !== undefined && !isKnown ? { reset: true } : {};
    wire.say("chat:history", { ...page, ...reset, hasMore: isKnown ? false : page.hasMore });
  }

  room(connectionId: string, over: Partial<StatusConnected["rooms"][number]> = {}): this {
    const standing = { lastSeq: 0, lastRev: 0, readSeq: 0, unread: 0, mentions: 0, owed: 0 };
    this.status.rooms.push({ connectionId, role: "member", ...standing, ...over });
    return this;
  }

  of(room: string): PublishedMessage[] {
    let messages = this.log.get(room);
    if (messages === undefined) this.log.set(room, (messages = []));
    return messages;
  }

  /** Somebody has written so many messages, which nobody was told of. */
  wrote(room: string, count: number, over: Partial<PublishedMessage> = {}): PublishedMessage[] {
    const messages = this.of(room);
    return Array.from({ length: count }, () => {
      const seq = (messages.at(-1)?.seq ?? 0) + 1;
      const message = published(room, seq, over);
      messages.push(message);
      return message;
    });
  }

  /** Somebody writes, and the room hears it. */
  writes(room: string, over: Partial<PublishedMessage> = {}): PublishedMessage {
    const message = this.wrote(room, 1, over)[0]!;
    this.wire.say("chat:message", message);
    return message;
  }

  store(sent: ClientEvents["chat:message"]): unknown {
    const { messageId, connectionId, content } = sent;
    const before = this.of(connectionId).find((message) => message.messageId === messageId);
    const own = before ?? this.wrote(connectionId, 1, { messageId, content, userId: "ada" })[0]!;
    const { seq, timestamp } = own;
    if (before === undefined) setImmediate(() => this.tellAll("chat:message", own));
    const duplicate = before === undefined ? {} : { duplicate: true };
    return { ok: true, question: false, messageId, connectionId, seq, timestamp, ...duplicate };
  }

  tellAll(name: string, payload: unknown): void {
    for (const wire of this.wires) if (wire.isConnected) wire.say(name, payload);
  }

  page(asked: {
    connectionId: string;
    before?: number;
    after?: number;
    changedAfter?: number;
    threadId?: string;
    limit?: number;
  }): RoomHistory {
    const { connectionId, before, after, changedAfter, threadId, limit = 50 } = asked;
    const all = this.of(connectionId);
    const ends = {
      connectionId,
      firstSeq: all[0]?.seq ?? 0,
      lastSeq: all.at(-1)?.seq ?? 0,
      lastRev: this.lastRev,
    };
    if (changedAfter !== undefined) {
      const changed = all
        .filter((message) => (message.rev ?? 0) > changedAfter)
        .toSorted((a, b) => (a.rev ?? 0) - (b.rev ?? 0));
      return { ...ends, messages: changed.slice(0, limit), hasMore: changed.length > limit };
    }
    const thread = all.filter((message) => threadId === undefined || message.threadId === threadId);
    if (after !== undefined) {
      const later = thread.filter((message) => message.seq > after);
      return { ...ends, messages: later.slice(0, limit), hasMore: later.length > limit };
    }
    const earlier = thread.filter((message) => message.seq < (before ?? Infinity));
    const root = all.find((message) => message.messageId === threadId);
    return {
      ...ends,
      messages: earlier.slice(-limit),
      hasMore: earlier.length > limit,
      ...(root === undefined ? {} : { root }),
    };
  }
}

/** A message as the server gives it. */
export function published(
  connectionId: string,
  seq: number,
  over: Partial<PublishedMessage> = {},
): PublishedMessage {
  return {
    messageId: idOf(connectionId, seq),
    connectionId,
    userId: "bob",
    name: "Bob",
    content: `message ${seq}`,
    timestamp: 1_750_000_000_000 + seq,
    status: "sent",
    seq,
    ...over,
  };
}

export function idOf(room: string, seq: number): string {
  return `${room}-${seq}`;
}

/** A token of this user, as far as a page can read one. */
export function tokenOf(userId: string, more: object = {}): string {
  return `head.${btoa(JSON.stringify({ sub: userId, ...more }))}.signature`;
}
