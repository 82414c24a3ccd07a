// Generated from chatd/wire by `python -m chatd.wire.typescript`. A test holds it to the server:
// change the server, and make it anew.

/** Every code of an error, with its sentence and whether a retry helps. */
export const CODES = {
  invalid_payload: { retryable: false, sentence: "The payload has a missing or wrong field; see path." },
  invalid_message_id: { retryable: false, sentence: "messageId must be a UUID; make a new one for each message." },
  content_empty: { retryable: false, sentence: "The message is empty; write something first." },
  content_too_long: { retryable: false, sentence: "The message is too long; shorten it or send it in parts." },
  message_id_conflict: { retryable: false, sentence: "This messageId was already used for another message; make a new one." },
  forbidden_room: { retryable: false, sentence: "You may not use this connection; ask its owner for access." },
  read_only_room: { retryable: false, sentence: "You may read in this room, and not write; ask its owner for another role." },
  room_deleted: { retryable: false, sentence: "An administrator has deleted all that was said in this room; join it to begin anew." },
  forbidden: { retryable: false, sentence: "Only the user who began this may do that." },
  message_deleted: { retryable: false, sentence: "This message was deleted, and does not change any more." },
  edit_conflict: { retryable: false, sentence: "This message was changed meanwhile; look at it, and edit it again." },
  too_many_reactions: { retryable: false, sentence: "This message has as many reactions as it may have." },
  unknown_thread: { retryable: false, sentence: "No message of this connection opened that thread." },
  invalid_query: { retryable: false, sentence: "This cannot be searched for; write words or a \"phrase\"." },
  rate_limited: { retryable: true, sentence: "Too many in a short time; try again after retryAfterMs." },
  overloaded: { retryable: true, sentence: "The server is busy; try again shortly." },
  draining: { retryable: true, sentence: "The server is restarting; reconnect shortly." },
  storage_full: { retryable: true, sentence: "The server's disk is full; nothing was stored, try again later." },
  storage_error: { retryable: true, sentence: "The server could not store this; nothing was stored, try again later." },
  storage_read_error: { retryable: true, sentence: "The server could not read this from its disk; try again later, and tell its operator if it persists." },
  directory_unavailable: { retryable: true, sentence: "The directory of rooms does not answer; try again later." },
  internal: { retryable: true, sentence: "Something went wrong in the server; try again, and tell its operator if it persists." },
  unauthorized: { retryable: false, sentence: "A token is needed; sign in and connect again." },
  token_expired: { retryable: false, sentence: "The token has expired; get a new one and connect again." },
  token_invalid: { retryable: false, sentence: "The token is not valid here; sign in again." },
  token_revoked: { retryable: false, sentence: "An administrator has ended your sessions; sign in again." },
  not_found: { retryable: false, sentence: "There is no such message in your connections." },
  answer_failed: { retryable: false, sentence: "This answer failed, and has no rows to download; ask the question again." },
  db_unavailable: { retryable: true, sentence: "The database of this connection does not answer; try again shortly." },
  db_timeout: { retryable: true, sentence: "The database took too long; ask for less, or try again later." },
  db_cancelled: { retryable: true, sentence: "The answer was cancelled." },
  db_read_only: { retryable: false, sentence: "Only reading is allowed here; ask for rows with SELECT." },
  db_statement_rejected: { retryable: false, sentence: "This statement may not run here; send one plain SELECT." },
  db_syntax: { retryable: false, sentence: "The database does not understand this statement; correct it." },
  db_error: { retryable: false, sentence: "The database could not answer this; look at the statement." },
  db_busy: { retryable: true, sentence: "Too many answers are under way; try again when one has ended." },
  db_dry_run_unsupported: { retryable: false, sentence: "This database cannot tell a plan without running it; ask without dryRun." },
  db_interrupted: { retryable: true, sentence: "The server was stopped while the database answered; ask again." },
} as const;

/** Every code of a hint, with its sentence if it has one. */
export const HINTS = {
  talk: null,
  near_sql: "This was taken as talk. Send it with /sql to run it.",
  unknown_command: "There is no such command; /help says what can be asked.",
  no_database: "No database answers in this room, so this was taken as talk.",
} as const;

/** The event was carried out. */
export interface AckPayload {
  /** The event was carried out. */
  ok: true;
  /** Fields that the client sent and the server does not know, as `context.config.read`. */
  ignored?: string[];
}

/** The client wants an answer stopped. */
export interface AnswerCancel {
  /** The question. */
  messageId: string;
}

/** A column of an answer. */
export interface AnswerColumn {
  /** Its name. */
  name: string;
  /** The database's own word for its type; if it names none, what its values are; null if they are of several kinds, or that is not known. */
  type: string | null;
}

/** What was left out of an answer, so that it fits. */
export interface AnswerCut {
  /** Rows are missing at its end, and why. */
  rows?: RowsCut;
  /** How many values are shortened. */
  values?: number;
  /** How many columns have a shortened name or type. */
  names?: number;
}

/** An answer has ended; the message that holds it follows. */
export interface AnswerEnd {
  /** The answer. */
  messageId: string;
  /** The question. */
  replyTo: string;
  /** The room. */
  connectionId: string;
  /** How it has ended. */
  state: AnswerOutcome;
  /** Rows that came. */
  rowCount: number;
  /** Whether anything was left out; `cut` says what. */
  truncated: boolean;
  /** How long it took. Unit: ms. */
  elapsedMs: number;
  /** Whether it comes from the cache. */
  cached: boolean;
  /** Rows that the statement changed, if it may write and that is known. */
  rowsWritten?: number;
  /** What was left out. */
  cut?: AnswerCut;
  /** What the statement probably does not do as it was meant; a sentence. */
  remark?: string;
  /** What went wrong. */
  error?: ErrorDetails;
}

/** How an answer has ended. */
export type AnswerOutcome = "done" | "error" | "cancelled" | "timeout" | "interrupted";

/** How far an answer is that has not ended. */
export type AnswerPhase = "starting" | "queued" | "running" | "fetching";

/** How far an answer is. */
export interface AnswerProgress {
  /** The answer. */
  messageId: string;
  /** The question. */
  replyTo: string;
  /** The room. */
  connectionId: string;
  /** How far it is. */
  phase: AnswerPhase;
  /** How long it has taken so far. Unit: ms. */
  elapsedMs: number;
}

/** The next rows of an answer. */
export interface AnswerRows {
  /** The answer. */
  messageId: string;
  /** The question. */
  replyTo: string;
  /** The room. */
  connectionId: string;
  /** The number of this event in the answer, from 0. */
  index: number;
  /** The columns, with the first rows. */
  columns?: AnswerColumn[];
  /** The rows; a cell of bytes is `{$bytes: base64}`. */
  rows: ((string | number | boolean | Record<string, string> | null)[])[];
}

/** A question is being answered. */
export interface AnswerStart {
  /** The answer. */
  messageId: string;
  /** The question. */
  replyTo: string;
  /** The room. */
  connectionId: string;
  /** Whether the statement may only read. */
  readOnly: boolean;
  /** Whether only its plan is asked for. */
  dryRun: boolean;
  /** When it ends at the latest. Unit: ms since 1970. */
  deadline: number;
  /** When the question was stored. Unit: ms since 1970. */
  startedAt: number;
  /** The user who asks. */
  askedBy: string;
}

/** How an answer has ended, and all of its table. */
export interface AnswerTable {
  /** How it has ended. */
  state: AnswerOutcome;
  /** Rows that came. */
  rowCount: number;
  /** Whether anything was left out; `cut` says what. */
  truncated: boolean;
  /** How long it took. Unit: ms. */
  elapsedMs: number;
  /** Whether it comes from the cache. */
  cached: boolean;
  /** Rows that the statement changed, if it may write and that is known. */
  rowsWritten?: number;
  /** What was left out. */
  cut?: AnswerCut;
  /** What the statement probably does not do as it was meant; a sentence. */
  remark?: string;
  /** What went wrong. */
  error?: ErrorDetails;
  /** What was asked, as it was written. It can hold markup. */
  statement?: string;
  /** Its columns. */
  columns: AnswerColumn[];
  /** Its rows; a cell of bytes is `{$bytes: base64}`. */
  rows: ((string | number | boolean | Record<string, string> | null)[])[];
  /** How many of the stored rows this copy leaves out, by `answerRows`. Unit: rows. */
  rowsOmitted?: number;
}

/** A new token for the same user. */
export interface AuthRefresh {
  /** The token. */
  token: string;
}

/** To `answer:cancel`: the answer has ended. */
export interface CancelAck {
  /** The event was carried out. */
  ok: true;
  /** Fields that the client sent and the server does not know, as `context.config.read`. */
  ignored?: string[];
  /** How it has ended. */
  state: AnswerOutcome;
  /** Whether the database says that nothing of it still runs. */
  confirmed?: boolean;
}

/** To `chat:message:edit`, `chat:message:delete` and `chat:message:react`. */
export interface ChangeAck {
  /** The event was carried out. */
  ok: true;
  /** Fields that the client sent and the server does not know, as `context.config.read`. */
  ignored?: string[];
  /** The message, in lower case. */
  messageId: string;
  /** Its room. */
  connectionId: string;
  /** The rev of the message now. */
  rev: number;
  /** When the change was stored. Unit: ms since 1970. */
  timestamp: number;
  /** It was so before; nothing was changed. */
  duplicate?: true;
}

/** The user has received a message, or with `up_to` all of its room up to it. */
export interface ChatAck {
  /** The message. */
  messageId: string;
  /** Whether it is all messages up to this one. */
  upTo?: boolean;
  /** The room of the message; absent: any room with a message of this id. */
  connectionId?: string;
}

/** A message to a room. */
export interface ChatMessage {
  /** A UUID that the client has made for this message. */
  messageId: string;
  /** The text. */
  content: string;
  /** The room. */
  connectionId: string;
  /** What it is about. */
  context?: Context;
  /** The message that opened the thread it is in. */
  threadId?: string;
}

/** The user has read a room up to a message. What was read before stays read. */
export interface ChatRead {
  /** The room. */
  connectionId: string;
  /** The last seq that the user has read. */
  seq: number;
}

/** A search in one room, or in all that the user may use. */
export interface ChatSearch {
  /** Words and phrases that have to occur. */
  query: string;
  /** The room; absent for all. */
  connectionId?: string;
  /** Only messages of this user. */
  userId?: string;
  /** Only earlier ones. Unit: ms since 1970. */
  before?: number;
  /** Only later ones. Unit: ms since 1970. */
  after?: number;
  /** How many at most. Unit: hits. */
  limit?: number;
  /** How many rows each answer in it may hold; absent for all. `answer.rowsOmitted` says what was left out. Unit: rows. */
  answerRows?: number;
  /** The cursor of the page before. */
  cursor?: string;
}

/** What a client may send. */
export type ClientEvent = "chat:message" | "chat:typing:start" | "chat:typing:stop" | "presence:update" | "chat:ack" | "chat:read" | "chat:message:get" | "chat:message:edit" | "chat:message:delete" | "chat:message:react" | "connection:join" | "connection:leave" | "chat:history:get" | "chat:search" | "answer:cancel" | "schema:get" | "auth:refresh";

/** A stable name for what went wrong; clients switch on it. */
export type Code = "invalid_payload" | "invalid_message_id" | "content_empty" | "content_too_long" | "message_id_conflict" | "forbidden_room" | "read_only_room" | "room_deleted" | "forbidden" | "message_deleted" | "edit_conflict" | "too_many_reactions" | "unknown_thread" | "invalid_query" | "rate_limited" | "overloaded" | "draining" | "storage_full" | "storage_error" | "storage_read_error" | "directory_unavailable" | "internal" | "unauthorized" | "token_expired" | "token_invalid" | "token_revoked" | "not_found" | "answer_failed" | "db_unavailable" | "db_timeout" | "db_cancelled" | "db_read_only" | "db_statement_rejected" | "db_syntax" | "db_error" | "db_busy" | "db_dry_run_unsupported" | "db_interrupted";

/** A command that a message can begin with. */
export interface CommandHelp {
  /** How it is written, such as `/describe`. */
  name: string;
  /** What follows it, such as `TABLE`. */
  argument: string | null;
  /** What it does, in words for people. */
  purpose: string;
}

/** The `auth` of a CONNECT; each part is checked by itself. */
export interface ConnectAuth {
  /** The token; it may also stand in a header. */
  token?: string;
  /** The rooms to join at once; absent or empty for all that the user may use. */
  connectionId?: string | string[];
  /** The last seq that the client has, by room. */
  since?: Record<string, number | null>;
  /** The name of the log that these seqs are from. */
  epoch?: string;
  /** How many rows each answer in it may hold; absent for all. `answer.rowsOmitted` says what was left out. Unit: rows. */
  answerRows?: number;
  /** How present the user is from now on, in the rooms to join. */
  status?: PresenceStatus;
  /** How often the client has tried before. */
  reconnectAttempts?: number;
}

/** The `data` of a CONNECT_ERROR; its sentence stands beside it, as `message`. */
export interface ConnectErrorData {
  /** A stable name for what went wrong. */
  code: Code;
  /** Whether the same request may succeed later. */
  retryable: boolean;
  /** When a retry may succeed. Unit: ms. */
  retryAfterMs?: number;
  /** The field of the handshake that is wrong. */
  path?: string;
}

/** The client wants to be in a room. */
export interface ConnectionJoin {
  /** The room. */
  connectionId: string;
  /** The last seq that the client has. */
  since?: number;
  /** The name of the log that the seq is from. */
  epoch?: string;
  /** How many rows each answer in it may hold; absent for all. `answer.rowsOmitted` says what was left out. Unit: rows. */
  answerRows?: number;
}

/** The client leaves a room. */
export interface ConnectionLeave {
  /** The room. */
  connectionId: string;
}

/** The part of the database that a message is about. */
export interface Context {
  /** The schema. */
  schema?: string;
  /** Its tables, 100 at most. */
  tables?: string[];
  /** How a question is to be run. */
  config?: ContextConfig;
}

/** How a question is to be run. */
export interface ContextConfig {
  /** Whether the statement may only read. */
  readOnly?: boolean;
  /** Whether to plan it without running it. */
  dryRun?: boolean;
}

/** Which db-mcp answers in a room. */
export type DatabaseKind = "sqlite" | "postgres" | "mcp";

/** Why something was refused or has failed. */
export interface ErrorDetails {
  /** A stable name for what went wrong. */
  code: Code;
  /** A sentence for people. */
  message: string;
  /** Whether the same request may succeed later. */
  retryable: boolean;
  /** When a retry may succeed. Unit: ms. */
  retryAfterMs?: number;
  /** The wrong field, as `context.tables[3]`. */
  path?: string;
}

/** An event of this client was refused; messages have an event of their own for that. */
export interface ErrorNotice {
  /** The event. */
  event: ClientEvent;
  /** A stable name for what went wrong. */
  code: Code;
  /** A sentence for people. */
  message: string;
  /** The room that the event named. */
  connectionId?: string;
  /** The wrong field, as `context.tables[3]`. */
  path?: string;
  /** When a retry may succeed. Unit: ms. */
  retryAfterMs?: number;
}

/** What this server can do beyond its first version; a client hides what its server lacks. */
export type Feature = "questions" | "read" | "message_get" | "edit" | "reactions" | "mentions" | "threads" | "answer_rows" | "schema" | "changes";

/** A message that was found. */
export interface FoundMessage {
  /** The message. */
  message: PublishedMessage;
  /** The text around the first match, with markup neutralised. */
  snippet: string;
  /** Where in the snippet matches begin, and where they end. Unit: code points. */
  highlights: [number, number][];
}

/** Why a message that was read as a question gets no answer; clients switch on it. */
export type HintCode = "talk" | "near_sql" | "unknown_command" | "no_database";

/** To `chat:history:get`: what `chat:history` says. */
export interface HistoryAck {
  /** The event was carried out. */
  ok: true;
  /** Fields that the client sent and the server does not know, as `context.config.read`. */
  ignored?: string[];
  /** The room. */
  connectionId: string;
  /** The messages. */
  messages: PublishedMessage[];
  /** Whether there are more in the direction of the page. */
  hasMore: boolean;
  /** The oldest seq that the room has; 0 if it has none. */
  firstSeq: number;
  /** The newest seq of the room; 0 if it has none. */
  lastSeq: number;
  /** The rev of the room's newest change; 0 if it has none. */
  lastRev: number;
  /** The client has to drop what it has of the room. */
  reset?: true;
  /** The message that opened the thread, if one was asked for. */
  root?: PublishedMessage;
}

/** A page of a room: before a seq, after one, the newest, or what was changed. */
export interface HistoryGet {
  /** The room. */
  connectionId: string;
  /** The page ends below this seq. */
  before?: number;
  /** The page begins above this seq. */
  after?: number;
  /** Messages whose rev is above this one, by rev; with no other bound beside it. */
  changedAfter?: number;
  /** How many at most. Unit: messages. */
  limit?: number;
  /** How many rows each answer in it may hold; absent for all. `answer.rowsOmitted` says what was left out. Unit: rows. */
  answerRows?: number;
  /** Only the thread that this message opened. */
  threadId?: string;
}

/** To `connection:join`: the client is in the room, and has what it missed. */
export interface JoinAck {
  /** The event was carried out. */
  ok: true;
  /** Fields that the client sent and the server does not know, as `context.config.read`. */
  ignored?: string[];
  /** The room. */
  connectionId: string;
  /** The newest seq of the room; 0 if it has none. */
  lastSeq: number;
  /** The name of the log that the seq is from. */
  epoch: string;
}

/** To `connection:leave`: the client is no longer in the room. A client that may not use the room does not learn its newest seq. */
export interface LeaveAck {
  /** The event was carried out. */
  ok: true;
  /** Fields that the client sent and the server does not know, as `context.config.read`. */
  ignored?: string[];
  /** The room, if its name is an id. */
  connectionId?: string;
  /** The newest seq of the room, if the client may use it. */
  lastSeq?: number;
  /** The name of the log that the seq is from; it comes with the seq. */
  epoch?: string;
}

/** To `chat:message`: what `chat:message:sent` says, and whether an answer may come. */
export interface MessageAck {
  /** The event was carried out. */
  ok: true;
  /** Fields that the client sent and the server does not know, as `context.config.read`. */
  ignored?: string[];
  /** Whether it is read as a question: then `chat:answer:start` or `chat:hint` follows. */
  question: boolean;
  /** Its id, in lower case. */
  messageId: string;
  /** When it was stored. Unit: ms since 1970. */
  timestamp: number;
  /** Its room. */
  connectionId: string;
  /** Its number in the room. */
  seq: number;
  /** It was stored before; this is that message. */
  duplicate?: true;
}

/** The user deletes its own message. Its place stays, and says so. */
export interface MessageDelete {
  /** The message. */
  messageId: string;
  /** The room. */
  connectionId: string;
}

/** The author of a message has deleted it, or was erased: its place stays, without content. */
export interface MessageDeleted {
  /** The message. */
  messageId: string;
  /** The room. */
  connectionId: string;
  /** Its number in the room. */
  seq: number;
  /** The number of this change in the room. */
  rev: number;
  /** When. Unit: ms since 1970. */
  deletedAt: number;
  /** If its author was erased: the user id that it has from then on, without a name. */
  userId?: string;
}

/** Another text for the user's own message. If that is a question, it is not asked again. */
export interface MessageEdit {
  /** The message. */
  messageId: string;
  /** The room. */
  connectionId: string;
  /** The new text. */
  content: string;
  /** The rev that the client has seen, 0 for none; a newer one is `edit_conflict`. */
  rev?: number;
}

/** The author of a message has given it another text. */
export interface MessageEdited {
  /** The message. */
  messageId: string;
  /** The room. */
  connectionId: string;
  /** Its number in the room. */
  seq: number;
  /** The number of this change in the room. */
  rev: number;
  /** Its text now, with markup neutralised. */
  content: string;
  /** What was written, if that may be SQL and `content` differs. It can hold markup. */
  raw?: string;
  /** The users whom it mentions now. */
  mentions?: string[];
  /** When. Unit: ms since 1970. */
  editedAt: number;
}

/** A message of this client was refused. */
export interface MessageError {
  /** Its id, in lower case; what was written there, null if that is not an id. */
  messageId: string | null;
  /** A sentence for people. */
  error: string;
  /** A stable name for what went wrong. */
  code: Code;
  /** Whether the same request may succeed later. */
  retryable: boolean;
  /** The wrong field, as `context.tables[3]`. */
  path?: string;
  /** When a retry may succeed. Unit: ms. */
  retryAfterMs?: number;
}

/** One message. */
export interface MessageGet {
  /** The message. */
  messageId: string;
  /** The room. */
  connectionId: string;
  /** How many rows each answer in it may hold; absent for all. `answer.rowsOmitted` says what was left out. Unit: rows. */
  answerRows?: number;
}

/** To `chat:message:get`. */
export interface MessageGetAck {
  /** The event was carried out. */
  ok: true;
  /** Fields that the client sent and the server does not know, as `context.config.read`. */
  ignored?: string[];
  /** The message. */
  message: PublishedMessage;
}

/** A message of this user was read as a question, but is not one. Only its sender gets this. */
export interface MessageHint {
  /** The message. */
  messageId: string;
  /** The room. */
  connectionId: string;
  /** Why it gets no answer. */
  code: HintCode;
  /** A sentence for people; absent for plain talk (`talk`). */
  message?: string;
}

/** The user adds a reaction to a message, or removes it. */
export interface MessageReact {
  /** The message. */
  messageId: string;
  /** The room. */
  connectionId: string;
  /** The reaction, 16 code points at most. */
  emoji: string;
  /** Whether to add it; false removes it. */
  on: boolean;
}

/** A user has added a reaction to a message, or removed it. */
export interface MessageReaction {
  /** The message. */
  messageId: string;
  /** The room. */
  connectionId: string;
  /** Its number in the room. */
  seq: number;
  /** The number of this change in the room. */
  rev: number;
  /** The user. */
  userId: string;
  /** The reaction. */
  emoji: string;
  /** Whether it is there now. */
  on: boolean;
}

/** Somebody has acknowledged a message of this user, the first one to do so. */
export interface MessageReceipt {
  /** The message. */
  messageId: string;
  /** Its room. */
  connectionId: string;
  /** How far it is. */
  status: "delivered";
  /** The user who has acknowledged it. */
  by: string;
}

/** How far a message is; `damaged` if its record on the disk cannot be read. */
export type MessageStatus = "sent" | "delivered" | "damaged";

/** To `presence:update`. */
export interface PresenceAck {
  /** The event was carried out. */
  ok: true;
  /** Fields that the client sent and the server does not know, as `context.config.read`. */
  ignored?: string[];
  /** The status that counts for the user now. */
  status: PresenceStatus;
}

/** A user of a room has come, changed status, or gone. */
export interface PresenceNotice {
  /** The user. */
  userId: string;
  /** What was declared last, by any of the user's sockets. */
  status: PresenceStatus;
  /** The last sign of the user. Unit: ms since 1970. */
  lastSeen: number;
  /** The user's name for people. */
  name?: string;
  /** The room. */
  connectionId: string;
}

/** Everybody who is in a room. */
export interface PresenceSnapshot {
  /** The room. */
  connectionId: string;
  /** The users. */
  users: UserPresence[];
}

/** How present a user is in a room, the most present first. */
export type PresenceStatus = "online" | "away" | "offline";

/** How present the user is in a room, on any socket. */
export interface PresenceUpdate {
  /** The status that the client declares. */
  status: PresenceStatus;
  /** The room. */
  connectionId: string;
}

/** A message of a room, live, in a history or as a hit. */
export interface PublishedMessage {
  /** Its id, in lower case. */
  messageId: string;
  /** Its room. */
  connectionId: string;
  /** Its author; `db:` and the room where a database answers, `chatd:system` where an administrator has the server say it. */
  userId: string;
  /** Its text, with markup neutralised. */
  content: string;
  /** When it was stored. Unit: ms since 1970. */
  timestamp: number;
  /** How far it is. */
  status: MessageStatus;
  /** Its number in the room, from 1, without gaps. */
  seq: number;
  /** Its author's name for people. */
  name?: string;
  /** What it is about. */
  context?: Context;
  /** The message that opened its thread. */
  threadId?: string;
  /** The question that it answers. */
  replyTo?: string;
  /** The answer's table. */
  answer?: AnswerTable;
  /** A sentence: why the answer failed, or what is damaged; null if it is lost. */
  error?: string | null;
  /** What was written, if that may be SQL and `content` differs. It can hold markup. */
  raw?: string;
  /** The users whom it mentions, by `@name`; at most 50. */
  mentions?: string[];
  /** The number of its newest change among those of its room; absent if it has none. */
  rev?: number;
  /** When its author last edited it. Unit: ms since 1970. */
  editedAt?: number;
  /** When its author deleted it; its content is empty. Unit: ms since 1970. */
  deletedAt?: number;
  /** The reactions to it. */
  reactions?: Reaction[];
  /** The replies in the thread that it opened, as of this page. */
  replies?: ThreadReplies;
  /** It was owed to the user, and comes late. */
  replay?: true;
}

/** Messages fell out of the user's queue of a room. The history still has those that retention has not removed. */
export interface QueueOverflow {
  /** The room. */
  connectionId: string;
  /** The first of them. */
  fromSeq: number;
  /** The last of them. */
  toSeq: number;
}

/** A reaction to a message, and whose it is. */
export interface Reaction {
  /** The reaction. */
  emoji: string;
  /** The users who have reacted with it, the first one first. */
  users: string[];
}

/** To `chat:read`: how far the user has read the room now. */
export interface ReadAck {
  /** The event was carried out. */
  ok: true;
  /** Fields that the client sent and the server does not know, as `context.config.read`. */
  ignored?: string[];
  /** The room. */
  connectionId: string;
  /** The seq up to which the user has read it. */
  readSeq: number;
  /** Messages of others after it, 1000 at most. Unit: messages. */
  unread: number;
  /** Those of them that mention the user. Unit: messages. */
  mentions: number;
}

/** How far this user has read a room, told to the user's other sockets. */
export interface ReadMarker {
  /** The room. */
  connectionId: string;
  /** The seq up to which. */
  readSeq: number;
  /** Messages of others after it, 1000 at most. Unit: messages. */
  unread: number;
  /** Those of them that mention the user. Unit: messages. */
  mentions: number;
}

/** The event was refused. */
export interface RefusedAck {
  /** The event was not carried out. */
  ok: false;
  /** Why. */
  error: ErrorDetails;
  /** Fields that the client sent and the server does not know, as `context.config.read`. */
  ignored?: string[];
}

/** What a user may do in a room. */
export type Role = "owner" | "member" | "viewer";

/** The user has another role in a room that the client is in. */
export interface RoleChanged {
  /** The room. */
  connectionId: string;
  /** What the user may do there from now on. */
  role: Role;
}

/** The database that answers in a room. */
export interface RoomDatabase {
  /** Which db-mcp answers. */
  kind: DatabaseKind;
  /** Its SQL: `sqlite`, `postgres` or `mysql`. */
  dialect?: string;
  /** Whether nothing may be written, whatever a message says. */
  readOnly: boolean;
  /** Whether it can tell a plan without running it. */
  dryRun: boolean;
  /** The commands that it answers, such as `/tables`. */
  commands: string[];
}

/** The user may use one more room: the directory, or a new token, gives it. The client is not in it; `connection:join` brings it in. */
export interface RoomGranted {
  /** The room. */
  connectionId: string;
  /** What the user may do there. */
  role: Role;
  /** What the directory calls the room. */
  title?: string;
}

/** Messages of a room, in the order of their seqs. */
export interface RoomHistory {
  /** The room. */
  connectionId: string;
  /** The messages. */
  messages: PublishedMessage[];
  /** Whether there are more in the direction of the page. */
  hasMore: boolean;
  /** The oldest seq that the room has; 0 if it has none. */
  firstSeq: number;
  /** The newest seq of the room; 0 if it has none. */
  lastSeq: number;
  /** The rev of the room's newest change; 0 if it has none. */
  lastRev: number;
  /** The client has to drop what it has of the room. */
  reset?: true;
  /** The message that opened the thread, if one was asked for. */
  root?: PublishedMessage;
}

/** The client was removed from a room: its token or the directory no longer gives it the room, or all that was said there was deleted, and what the client has of it no longer exists. */
export interface RoomRevoked {
  /** The room. */
  connectionId: string;
  /** Why. */
  code: "forbidden_room" | "room_deleted";
}

/** A room that the user may use. */
export interface RoomStanding {
  /** The room. */
  connectionId: string;
  /** The seq of its newest message; 0 if it has none. */
  lastSeq: number;
  /** The rev of its newest change; 0 if nothing was changed. */
  lastRev: number;
  /** The seq up to which the user has read it. */
  readSeq: number;
  /** Messages of others after it, 1000 at most. Unit: messages. */
  unread: number;
  /** Those of them that mention the user. Unit: messages. */
  mentions: number;
  /** Messages that the room's queue holds for the user. Unit: messages. */
  owed: number;
  /** What the user may do there; a viewer cannot write. */
  role: Role;
  /** What the directory calls the room. */
  title?: string;
  /** The database that answers there; absent if none does. */
  database?: RoomDatabase;
}

/** Why rows are missing at the end of an answer, or of its export. */
export type RowsCut = "max_rows" | "max_bytes" | "large_value" | "database";

/** To `schema:get`. */
export interface SchemaAck {
  /** The event was carried out. */
  ok: true;
  /** Fields that the client sent and the server does not know, as `context.config.read`. */
  ignored?: string[];
  /** The room. */
  connectionId: string;
  /** The tables, in the order of the database. */
  tables: SchemaTable[];
  /** Whether tables or columns were left out. */
  truncated: boolean;
}

/** A column of a table. */
export interface SchemaColumn {
  /** Its name, exactly. It can hold markup. */
  name: string;
  /** The database's own word for its type, if it has one. */
  type: string | null;
}

/** The tables and columns of a room's database, for completion; not a message of the room. */
export interface SchemaGet {
  /** The room. */
  connectionId: string;
}

/** A table of a database, or a view. */
export interface SchemaTable {
  /** Its name, exactly. It can hold markup. */
  name: string;
  /** Its schema, if the database has several. */
  schema?: string;
  /** `table`, `view`, or the database's own word. */
  kind: string;
  /** Its columns, in their order. */
  columns: SchemaColumn[];
}

/** To `chat:search`. */
export interface SearchAck {
  /** The event was carried out. */
  ok: true;
  /** Fields that the client sent and the server does not know, as `context.config.read`. */
  ignored?: string[];
  /** What was found, best first. */
  hits: FoundMessage[];
  /** Asks for the next page; absent on the last one. */
  cursor?: string;
  /** True for a while after an upgrade: older messages are not found yet. */
  incomplete?: boolean;
}

/** A message of this client is in the log. */
export interface SentMessage {
  /** Its id, in lower case. */
  messageId: string;
  /** When it was stored. Unit: ms since 1970. */
  timestamp: number;
  /** Its room. */
  connectionId: string;
  /** Its number in the room. */
  seq: number;
  /** It was stored before; this is that message. */
  duplicate?: true;
}

/** The server closes all connections soon. */
export interface ServerDraining {
  /** When it has closed them. Unit: ms since 1970. */
  deadline: number;
  /** When the client is to connect again. Unit: ms. */
  reconnectAfterMs: number;
}

/** Which server this is. */
export interface ServerInfo {
  /** Its version. */
  version: string;
  /** What it can do; more may come. */
  features: Feature[];
  /** All commands; a room may have fewer. */
  commands: CommandHelp[];
}

/** The limits that a client can keep to by itself. */
export interface ServerLimits {
  /** The longest message. Unit: code points. */
  contentChars: number;
  /** The longest page of history. Unit: messages. */
  historyPage: number;
  /** What one user may send. Unit: messages per minute. */
  messagesPerMinute: number;
  /** How often one user may start to type. Unit: events per minute. */
  typingPerMinute: number;
  /** The largest packet. Unit: bytes. */
  maxPayload: number;
}

/** The connection is closed after this. */
export interface StatusClosing {
  /** Which status this is. */
  status: "closing";
  /** Why. */
  code: "token_expired" | "token_revoked" | "directory_unavailable";
}

/** The first event of a socket: the client is in. */
export interface StatusConnected {
  /** Which status this is. */
  status: "connected";
  /** The user that the token names. */
  userId: string;
  /** The server's clock. Unit: ms since 1970. */
  serverTime: number;
  /** The name of the log; a seq counts only in the log that it is from. */
  epoch: string;
  /** When the token runs out. Unit: ms since 1970. */
  expiresAt: number;
  /** Whether the client has said in `since` what it has. */
  resumed: boolean;
  /** All rooms that the user may use. */
  rooms: RoomStanding[];
  /** The limits that a client can keep to by itself. */
  limits: ServerLimits;
  /** Which server this is, and what it can do. */
  server: ServerInfo;
  /** The user's name for people. */
  name?: string;
  /** As the client has said in its handshake. */
  reconnectAttempts?: number;
  /** Fields that the client sent and the server does not know, as `context.config.read`. */
  ignored?: string[];
}

/** The server is about to stop. */
export interface StatusDraining {
  /** Which status this is. */
  status: "draining";
  /** Why. */
  code: "draining";
  /** When the client is to connect again. Unit: ms. */
  retryAfterMs: number;
}

/** The client takes less than it is owed; presence and typing are dropped until it has caught up. */
export interface StatusLagging {
  /** Which status this is. */
  status: "lagging";
  /** Why. */
  code: "overloaded";
  /** When to look again. Unit: ms. */
  retryAfterMs: number;
}

/** What a thread holds after its opener. */
export interface ThreadReplies {
  /** How many replies, 1000 at most. Unit: messages. */
  count: number;
  /** The seq of the newest one. */
  lastSeq: number;
  /** Who wrote the newest ones, 3 at most, newest first. */
  users: string[];
}

/** To `auth:refresh`. */
export interface TokenAck {
  /** The event was carried out. */
  ok: true;
  /** Fields that the client sent and the server does not know, as `context.config.read`. */
  ignored?: string[];
  /** When the new token runs out. Unit: ms since 1970. */
  expiresAt: number;
}

/** The token runs out soon. */
export interface TokenExpiring {
  /** When. Unit: ms since 1970. */
  expiresAt: number;
}

/** A user is typing in a room, or has stopped. */
export interface TypingNotice {
  /** The user. */
  userId: string;
  /** The room. */
  connectionId: string;
  /** Whether the user is typing. */
  isTyping: boolean;
  /** Since when. Unit: ms since 1970. */
  timestamp: number;
  /** The user's name for people. */
  name?: string;
}

/** The user has begun to type, or goes on: without a new start typing ends after 10 s. */
export interface TypingStart {
  /** The room. */
  connectionId: string;
}

/** The user has stopped typing; sending a message implies it. */
export interface TypingStop {
  /** The room. */
  connectionId: string;
}

/** A user in a room. */
export interface UserPresence {
  /** The user. */
  userId: string;
  /** What was declared last, by any of the user's sockets. */
  status: PresenceStatus;
  /** The last sign of the user. Unit: ms since 1970. */
  lastSeen: number;
  /** The user's name for people. */
  name?: string;
}

export interface ServerEvents {
  "connection:status": StatusConnected | StatusLagging | StatusDraining | StatusClosing;
  "connection:left": RoomRevoked;
  "connection:granted": RoomGranted;
  "connection:role": RoleChanged;
  "chat:history": RoomHistory;
  "chat:message": PublishedMessage;
  "chat:message:sent": SentMessage;
  "chat:message:error": MessageError;
  "chat:message:status": MessageReceipt;
  "chat:message:edited": MessageEdited;
  "chat:message:deleted": MessageDeleted;
  "chat:message:reaction": MessageReaction;
  "chat:read": ReadMarker;
  "chat:hint": MessageHint;
  "chat:answer:start": AnswerStart;
  "chat:answer:status": AnswerProgress;
  "chat:answer:rows": AnswerRows;
  "chat:answer:end": AnswerEnd;
  "chat:typing": TypingNotice;
  "presence:update": PresenceNotice;
  "presence:snapshot": PresenceSnapshot;
  "queue:overflow": QueueOverflow;
  "chat:error": ErrorNotice;
  "auth:expiring": TokenExpiring;
  "server:draining": ServerDraining;
}

export interface ClientEvents {
  "chat:message": ChatMessage;
  "chat:typing:start": TypingStart;
  "chat:typing:stop": TypingStop;
  "presence:update": PresenceUpdate;
  "chat:ack": ChatAck;
  "chat:read": ChatRead;
  "chat:message:get": MessageGet;
  "chat:message:edit": MessageEdit;
  "chat:message:delete": MessageDelete;
  "chat:message:react": MessageReact;
  "connection:join": ConnectionJoin;
  "connection:leave": ConnectionLeave;
  "chat:history:get": HistoryGet;
  "chat:search": ChatSearch;
  "answer:cancel": AnswerCancel;
  "schema:get": SchemaGet;
  "auth:refresh": AuthRefresh;
}

export interface Acks {
  "chat:message": MessageAck | RefusedAck;
  "chat:typing:start": AckPayload | RefusedAck;
  "chat:typing:stop": AckPayload | RefusedAck;
  "presence:update": PresenceAck | RefusedAck;
  "chat:ack": AckPayload | RefusedAck;
  "chat:read": ReadAck | RefusedAck;
  "chat:message:get": MessageGetAck | RefusedAck;
  "chat:message:edit": ChangeAck | RefusedAck;
  "chat:message:delete": ChangeAck | RefusedAck;
  "chat:message:react": ChangeAck | RefusedAck;
  "connection:join": JoinAck | RefusedAck;
  "connection:leave": LeaveAck | RefusedAck;
  "chat:history:get": HistoryAck | RefusedAck;
  "chat:search": SearchAck | RefusedAck;
  "answer:cancel": CancelAck | RefusedAck;
  "schema:get": SchemaAck | RefusedAck;
  "auth:refresh": TokenAck | RefusedAck;
}

export const SERVER_EVENTS = ["connection:status", "connection:left", "connection:granted", "connection:role", "chat:history", "chat:message", "chat:message:sent", "chat:message:error", "chat:message:status", "chat:message:edited", "chat:message:deleted", "chat:message:reaction", "chat:read", "chat:hint", "chat:answer:start", "chat:answer:status", "chat:answer:rows", "chat:answer:end", "chat:typing", "presence:update", "presence:snapshot", "queue:overflow", "chat:error", "auth:expiring", "server:draining"] as const;
