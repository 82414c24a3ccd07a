/**
 * A socket as the chat needs it: `socket.ts` makes one from socket.io, and tests make their own.
 */
import type { Acks, ClientEvents, ConnectAuth } from "./wire.gen";

/** Why a try to connect has failed. */
export interface ConnectFailure {
  message: string;
  /** The server's code; absent if no server answered. */
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
  /** Disconnect, or give up connecting. The listener does not hear of it. */
  disconnect(): void;
  emit<E extends keyof ClientEvents>(event: E, payload: ClientEvents[E]): void;
  /** Rejects if no answer comes in time, or the connection is lost meanwhile. */
  ask<E extends keyof ClientEvents>(
    event: E,
    payload: ClientEvents[E],
    timeoutMs: number,
  ): Promise<Acks[E]>;
}

export type OpenWire = (url: string, listener: WireListener) => Wire;
