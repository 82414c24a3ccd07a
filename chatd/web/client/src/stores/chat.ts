/** A chat: its state, its answers under way, and what the page shows; and how it is configured. */
import type { StoreApi } from "zustand/vanilla";
import type { Answers } from "./answers";
import type { EventLog } from "../websocket/metrics";
import type { ChatState } from "./state";
import type { UiState } from "./ui";

/** Why the user is signed out: the server's code, and its sentence. */
export interface SignedOut {
  code?: string;
  reason?: string;
}

export interface ChatOptions {
  /** The server, with the path at which a proxy has it; absent: where the page itself is. */
  url?: string;
  /** Gives the token whenever it is needed; undefined for none. */
  getToken(): string | undefined | Promise<string | undefined>;
  /** The server no longer accepts the token. What was written stays in the outbox. */
  onSignedOut?(why: SignedOut): void;
  /** The room to open first, if the user may use it. */
  room?: string;
  place?: { seq?: number; messageId?: string };
}

export interface Chat {
  readonly store: StoreApi<ChatState>;
  readonly ui: StoreApi<UiState>;
  /** Answers under way, outside of the store: a batch of rows renders one card. */
  readonly answers: Answers;
  /** What happened on the connection: never content, never tokens. */
  readonly log: EventLog;
  /** Where the server is, for links of exports and of the page. */
  readonly url: string;
  /** Connect; `stop` ends it, and `start` may follow again (React does so in strict mode). */
  start(): void;
  stop(): void;
  /** Forget the token's user: outbox and drafts stay unless `discard` says otherwise. */
  signOut(options?: { discard?: boolean }): Promise<void>;
}
