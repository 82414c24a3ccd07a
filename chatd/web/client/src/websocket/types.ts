/** What the page holds of the chat: the wire's own types, and what a client adds to them. */
import type {
  AnswerTable,
  Context,
  DatabaseKind,
  ErrorDetails,
  HintCode,
  PresenceStatus,
  PublishedMessage,
  Role,
  RoomDatabase,
  RoomStanding,
  ServerInfo,
  ServerLimits,
} from "./wire.gen";

export type {
  AnswerColumn,
  AnswerCut,
  AnswerOutcome,
  AnswerPhase,
  CommandHelp,
  Context,
  ErrorDetails,
  Feature,
  FoundMessage,
  HintCode,
  PresenceStatus,
  PublishedMessage,
  Reaction,
  SchemaTable,
  ServerInfo,
  ServerLimits,
  ThreadReplies,
} from "./wire.gen";

/** One value of a row. Whole numbers beyond 2^53 and decimals come as text; bytes as base64. */
export type Cell = string | number | boolean | null | { $bytes: string };
export type Row = readonly Cell[];

/** How an answer has ended, and its table. */
export type Answer = Omit<AnswerTable, "rows"> & { rows: readonly Row[] };

/**
 * How far a message has come. `pending` waits here, `sending` is on its way, `error` was given up.
 */
export type MessageState = "pending" | "sending" | "sent" | "delivered" | "error" | "damaged";

/** A message as the page shows it: from the server, or still only in this browser. */
export interface ChatMessage extends Omit<
  PublishedMessage,
  "status" | "seq" | "answer" | "error" | "replay"
> {
  status: MessageState;
  /** Its number in the room; absent until the server has stored it. */
  seq?: number;
  answer?: Answer;
  /** Why an answer failed, or what is damaged. */
  error?: string | null;
  /** Why this browser gave it up, if `status` is `error`. */
  refusal?: ErrorDetails;
  /** Why it got no answer, if it looked like a question. */
  hint?: Hint;
}

export interface Hint {
  code: HintCode;
  message?: string;
}

/** A room as the list shows it. An older server may not say all of it. */
export interface Room {
  connectionId: string;
  title?: string;
  lastSeq: number;
  lastRev: number;
  readSeq: number;
  unread: number;
  mentions: number;
  database?: RoomDatabase;
  /** What the user may do in it; a viewer reads, and does not write. */
  role?: Role;
  /** Answers under way in it. */
  running: number;
}

export interface TypingUser {
  userId: string;
  name?: string;
  connectionId: string;
  /** When it ends without another sign, on this browser's clock. Unit: ms since 1970. */
  until: number;
}

/** The state of the connection; each phase has its words in the banner. */
export type Phase = "idle" | "connecting" | "connected" | "reconnecting" | "offline" | "signedOut";

export interface Connection {
  phase: Phase;
  /** Tries since the last connection; 0 while there is one. */
  attempt: number;
  /** When the next try is due. Unit: ms since 1970. */
  nextAt?: number;
  /** When this phase of having no connection began. Unit: ms since 1970. */
  since?: number;
  /** The server's code and sentence, if it said why. */
  code?: string;
  reason?: string;
  /** The server is about to stop; it comes back by itself. */
  isDraining?: boolean;
  /** The server drops typing and presence for this client, which reads too slowly. */
  isLagging?: boolean;
}

/** Where sending stands, beside the connection. */
export interface Pacing {
  /** Nothing is sent before this time. Unit: ms since 1970. */
  until: number;
  /** The code of the refusal that said so: `rate_limited`, `storage_full`, … */
  code: string;
  /** The server's sentence. */
  reason: string;
}

export type { DatabaseKind, ServerInfo as Server, ServerLimits as Limits };
export type Presence = ReadonlyMap<string, PresenceStatus>;
export type Standing = RoomStanding;
export type MessageContext = Context;
