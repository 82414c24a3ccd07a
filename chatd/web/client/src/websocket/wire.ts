/** A socket as the chat needs it: what `socket.ts` makes of socket.io, and tests of nothing. */
import type { Acks, ClientEvents, ConnectAuth } from "./wire.gen";

/** Why a try to connect has failed. */
export interface ConnectFailure {
  message: string;
  /** The server's code; absent where no server spoke. */
  code?: string;
  retryAfterMs?: number;
}

/** What happens on a socket. */
export interface WireListener {
  failed(failure: ConnectFailure): void;
  lost(reason: string): void;
  event(name: string, payload: unknown): void;
}

export interface Wire {
  readonly isConnected: boolean;
  /** Connect with this; a second call while connecting does nothing. */
  connect(auth: ConnectAuth): void;
  /** Go, or give up connecting. Nothing is heard of it. */
  disconnect(): void;
  emit<E extends keyof ClientEvents>(event: E, payload: ClientEvents[E]): void;
  /** Rejects where no answer comes in time, and where the connection is lost meanwhile. */
  ask<E extends keyof ClientEvents>(
    event: E,
    payload: ClientEvents[E],
    timeoutMs: number,
  ): Promise<Acks[E]>;
}

export type OpenWire = (url: string, listener: WireListener) => Wire;
