/** What all parts of a chat work with: its state, its clock, its connection. */
import type { Clock } from "../websocket/clock";
import type { Metrics } from "../websocket/metrics";
import type { ErrorDetails } from "../websocket/types";
import type { Wire } from "../websocket/wire";
import type { Acks, ClientEvents, RefusedAck } from "../websocket/wire.gen";
import type { RunningAnswers } from "./answers";
import type { Batch } from "./batch";
import type { ChatState, Notice } from "./state";

/** How many rows of each answer pages hold; the rest is read when it is wanted. */
export const ANSWER_ROWS = 50;
/** How long the page waits for the answer to a request; an older server gives none. */
export const ASK_MS = 10_000;

export type Ack<E extends keyof ClientEvents> = Acks[E] | RefusedAck;

export interface Core {
  readonly batch: Batch;
  readonly clock: Clock;
  readonly metrics: Metrics;
  readonly answers: RunningAnswers;
  get(): ChatState;
  /** The wire, while there is a connection. */
  wire(): Wire | undefined;
  /** Ask the server. Never rejects: no connection and no answer are refusals too. */
  ask<E extends keyof ClientEvents>(event: E, payload: ClientEvents[E]): Promise<Ack<E>>;
  notify(notice: Omit<Notice, "id">): void;
  /** The server's clock, as far as it is known. Unit: ms since 1970. */
  serverNow(): number;
}

/** Ask over a wire, or say why that is not possible. */
export async function askOver<E extends keyof ClientEvents>(
  wire: Wire | undefined,
  event: E,
  payload: ClientEvents[E],
): Promise<Ack<E>> {
  if (wire === undefined) return refusal("There is no connection now. Try again when it is back.");
  try {
    return await wire.ask(event, payload, ASK_MS);
  } catch {
    return refusal("The server did not answer. Try again.");
  }
}

function refusal(message: string): RefusedAck {
  const error: ErrorDetails = { code: "overloaded", message, retryable: true };
  return { ok: false, error };
}
