/**
 * The state of a chat, and what can be done with it: the contract between the store and everything
 * that shows it. `createChat` makes one; components read it by `useChatStore` and act by its
 * functions.
 */
import type {
  ChatMessage,
  Connection,
  FoundMessage,
  MessageContext,
  Pacing,
  PresenceStatus,
  Room,
  SchemaTable,
  ServerInfo,
  ServerLimits,
  TypingUser,
} from "../websocket/types";

export interface Me {
  userId: string;
  name?: string;
}

/**
 * The stretch of a room that the page holds, by seq; messages that this browser is still sending
 * stand last. At `tail` it ends with the newest message and grows with each one. `around` is a
 * stretch elsewhere, after a jump; new messages are counted then, and not added.
 */
export interface RoomView {
  mode: "tail" | "around";
  /** The ids in their order. At most `WINDOW_MAX`. */
  ids: readonly string[];
  /** The seqs at both ends of what is held; 0 if nothing is. */
  oldest: number;
  newest: number;
  /** The oldest and the newest seq that the room has. */
  firstSeq: number;
  lastSeq: number;
  hasOlder: boolean;
  hasNewer: boolean;
  isLoading: boolean;
  /** Whether the first page has come. */
  isReady: boolean;
  /** The first message that was unread when the room was opened; the line stands above it. */
  firstUnread?: number;
  /** How many others have written since, below the stretch. */
  newBelow: number;
}

/** A thread, whose messages are read by themselves: a room's window may not hold them. */
export interface ThreadView {
  threadId: string;
  root?: ChatMessage;
  ids: readonly string[];
  hasOlder: boolean;
  isLoading: boolean;
  /** Why it could not be read. */
  failure?: string;
}

export interface SearchView {
  query: string;
  /** The room that is searched; absent for all. */
  connectionId?: string;
  hits: readonly FoundMessage[];
  cursor?: string;
  isLoading: boolean;
  incomplete: boolean;
  failure?: string;
}

export interface SchemaView {
  tables: readonly SchemaTable[];
  truncated: boolean;
  /** On this browser's clock; 0 if it could not be read. Unit: ms since 1970. */
  readAt: number;
  /** Why it could not be read; what was known before stays. */
  failure?: string;
}

/** One sentence above the composer. It goes by itself after a time, unless it stays. */
export interface Notice {
  id: number;
  kind: "info" | "error";
  text: string;
  /** The room in which it stands, until that is left; absent: the open one. */
  room?: string;
  /** The question whose answer it is about: it goes when that has ended. */
  questionId?: string;
  /** It stands in all rooms, until it is closed: it asks for something, or tells of a loss. */
  stays?: boolean;
  /** Text that could not be sent, and must not be lost; so the notice stays. */
  kept?: string;
  /** The message of the outbox that it is about: that is taken out when its text is put back. */
  messageId?: string;
}

export interface SendOptions {
  context?: MessageContext;
  threadId?: string;
  /** The room; absent: the open one. */
  room?: string;
}

/** Where in a room to look. */
export interface Place {
  seq?: number;
  messageId?: string;
}

export type ExportFormat = "csv" | "json" | "ndjson" | "md" | "xlsx";

export interface ChatState {
  // What a host application may rely on.
  readonly isConnected: boolean;
  readonly reconnectAttempts: number;
  readonly messages: ReadonlyMap<string, ChatMessage>;
  /** Messages of this user that the server has not stored yet. */
  readonly pendingMessages: ReadonlySet<string>;
  /** Who types, by room and user, as `typingKey` says. */
  readonly typingUsers: ReadonlyMap<string, TypingUser>;
  /** Who is in the open room. */
  readonly presence: ReadonlyMap<string, PresenceStatus>;
  /**
   * Write a message into the outbox, which sends it; returns its id. Rejects with `OutboxFull`, and
   * with `OutboxUnwritable` if the browser stores nothing; then the caller has to keep the text.
   */
  sendMessage(content: string, options?: SendOptions): Promise<string>;
  /** Try again to send a message that was given up. */
  retryMessage(messageId: string): Promise<void>;
  /** The user has seen a message, and so all before it in its room. */
  markAsRead(messageId: string): void;

  readonly connection: Connection;
  readonly pacing: Pacing | undefined;
  readonly me: Me | undefined;
  readonly server: ServerInfo | undefined;
  readonly limits: ServerLimits | undefined;
  readonly epoch: string | undefined;
  /** When the token runs out, once the server has said that it is soon. Unit: ms since 1970. */
  readonly expiringAt: number | undefined;
  /** Why the server did not take the last new token, while it waits for one. */
  readonly tokenRefusal: string | undefined;
  readonly rooms: readonly Room[];
  /** The open room; "" while there is none. */
  readonly room: string;
  readonly views: ReadonlyMap<string, RoomView>;
  /** The names of users, as last heard. */
  readonly names: ReadonlyMap<string, string>;
  readonly thread: ThreadView | undefined;
  readonly search: SearchView | undefined;
  readonly schemas: ReadonlyMap<string, SchemaView>;
  readonly notices: readonly Notice[];
  /** Messages of this user that wait in the outbox, by room. */
  readonly waiting: ReadonlyMap<string, number>;
  /** A message to bring into view, once; `serial` grows with each request. */
  readonly target: { room: string; messageId: string; serial: number } | undefined;

  /** Whether the server can do something; a page hides what an older server lacks. */
  can(feature: string): boolean;
  openRoom(room: string, place?: Place): Promise<void>;
  loadOlder(room: string): Promise<void>;
  loadNewer(room: string): Promise<void>;
  /** Bring a message into view, with what surrounds it; false if it is no longer there. */
  jumpTo(room: string, place: Place): Promise<boolean>;
  jumpToEnd(room: string): Promise<void>;
  /** Take a message that was not sent out of the outbox; returns its text. */
  discardMessage(messageId: string): Promise<string | undefined>;
  editMessage(messageId: string, content: string): Promise<boolean>;
  deleteMessage(messageId: string): Promise<boolean>;
  react(messageId: string, emoji: string, on: boolean): Promise<boolean>;
  /** Stop the answer to a question. */
  cancelAnswer(questionId: string): Promise<void>;
  /**
   * Read an answer again that seems lost, or whose rows are not held any more. If that fails, a
   * notice says why, unless `silently` is set because nobody has asked for it by hand.
   */
  fetchAnswer(messageId: string, room: string, how?: { silently: boolean }): Promise<void>;
  /** A link that downloads an answer once; undefined, and a notice, if there is none. */
  exportLink(answerId: string, format: ExportFormat): Promise<string | undefined>;
  openThread(threadId: string): Promise<void>;
  loadOlderInThread(): Promise<void>;
  closeThread(): void;
  /** Search, or with `more` read the next page. */
  runSearch(query: string, options?: { room?: string; more?: boolean }): Promise<void>;
  closeSearch(): void;
  /** Read the tables of a room's database, unless they are known and fresh. */
  loadSchema(room: string): Promise<void>;
  /** The user is typing in a room, or has stopped. */
  setTyping(room: string, isTyping: boolean): void;
  /** How present the user is, in all rooms. */
  setPresence(status: PresenceStatus): void;
  /** Try to connect now; an open connection is made anew, as the rooms may have changed. */
  retryNow(): void;
  /** Give the connection a new token for the same user. */
  refreshToken(token: string): Promise<boolean>;
  notify(notice: Omit<Notice, "id">): void;
  dismissNotice(id: number): void;
}

/** The most messages of a room that are held; those further away are read again. */
export const WINDOW_MAX = 5_000;
/** How many messages a page has. */
export const PAGE_SIZE = 50;

/** The key of `typingUsers`. */
export function typingKey(room: string, userId: string): string {
  return `${room}\n${userId}`;
}
