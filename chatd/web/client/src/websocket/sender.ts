/**
 * Sends what is in the outbox, one message at a time across all tabs, each after the answer to the
 * one before. A tab holds the turn for one message only: one that is frozen, hidden or without a
 * connection holds nothing, and when a holder crashes, whoever waits goes on.
 */
import { isSignedOutCode } from "./connection";
import type { Clock } from "./clock";
import type { Gate } from "./gate";
import type { Turns } from "./lease";
import type { Metrics } from "./metrics";
import type { Kept, Outbox } from "./outbox";
import type { ErrorDetails } from "./types";
import type { Wire } from "./wire";
import type { ChatMessage as Outgoing, MessageAck } from "./wire.gen";

/** How long a tab waits for an answer. Unit: ms. */
export const ANSWER_MS = 10_000;
/**
 * After so many waits without an answer a message is given up: later than a dead connection is
 * noticed, after which it is sent again.
 */
export const TRIES_MAX = 5;
/** The wait after a refusal that names none. Unit: ms. */
const RETRY_MS = 2_000;

export interface SenderParts {
  outbox: Outbox;
  gate: Gate;
  turns: Turns;
  clock: Clock;
  metrics: Metrics;
  /** The wire, while there is a connection. */
  wire(): Wire | undefined;
  messagesPerMinute(): number;
  /** Have the socket be in a room. */
  beIn(room: string): Promise<void>;
  sending(entry: Kept): void;
  /** It was not sent after all, and waits again. */
  waiting(entry: Kept): void;
  stored(entry: Kept, ack: MessageAck): void;
  /** It was given up for good. */
  refused(entry: Kept, error: ErrorDetails): void;
  /** The gate was shut or opened, or sending is no longer slow. */
  paced(): void;
}

export class Sender {
  #isDraining = false;
  #isWanted = false;
  #isClosed = false;
  #stopTimer = () => {};

  constructor(private readonly parts: SenderParts) {}

  /** Send what waits, as far as that is allowed. Call it whenever something may have changed. */
  async flush(): Promise<void> {
    if (this.#isClosed || this.parts.wire() === undefined) return;
    this.#isWanted = true;
    if (this.#isDraining) return;
    this.#isDraining = true;
    try {
      while (this.#isWanted && !this.#isClosed) {
        this.#isWanted = false;
        await this.#drain();
      }
    } catch (error) {
      this.parts.metrics.note("send_failed", { error: String(error).slice(0, 200) });
      this.#later(RETRY_MS);
    } finally {
      this.#isDraining = false;
    }
  }

  close(): void {
    this.#isClosed = true;
    this.#stopTimer();
  }

  async #drain(): Promise<void> {
    const { turns, outbox } = this.parts;
    for (;;) {
      const isDone = await turns.exclusively(`chatd:outbox:${outbox.owner}`, async () => {
        if (this.#isClosed || this.parts.wire() === undefined) return true;
        const entry = await outbox.next();
        if (entry === undefined) return true;
        if (this.#mustWait()) return true;
        return !(await this.#sendOne(entry));
      });
      if (isDone) return;
    }
  }

  /** Whether nothing may be sent yet; then it tries again as soon as it may. */
  #mustWait(): boolean {
    const ms = this.parts.gate.waitMs();
    if (ms <= 0) return false;
    this.#later(ms);
    this.parts.paced();
    return true;
  }

  #later(ms: number): void {
    this.#stopTimer();
    this.#stopTimer = this.parts.clock.after(ms, () => void this.flush());
  }

  /** Whether the next one may follow. */
  async #sendOne(entry: Kept): Promise<boolean> {
    const wire = this.parts.wire();
    if (wire === undefined) return false;
    const began = this.parts.clock.passed();
    this.parts.sending(entry);
    let ack;
    try {
      ack = await wire.ask("chat:message", outgoing(entry), ANSWER_MS);
    } catch {
      return this.#unanswered(entry, wire);
    }
    if (ack.ok) {
      await this.#stored(entry, ack, this.parts.clock.passed() - began);
      return true;
    }
    return this.#refused(entry, ack.error);
  }

  async #stored(entry: Kept, ack: MessageAck, ms: number): Promise<void> {
    const { metrics, gate, outbox } = this.parts;
    metrics.stored(ms);
    if (ack.duplicate === true) metrics.count("duplicates");
    metrics.note("stored", { messageId: entry.messageId, seq: ack.seq, ms: Math.round(ms) });
    this.parts.stored(entry, ack);
    const { messageId } = entry;
    await outbox.remove(entry, { kind: "sent", messageId, timestamp: ack.timestamp });
    gate.passed(this.parts.messagesPerMinute());
    this.parts.paced();
  }

  /** No answer: the connection was lost, which does not count as a try; or the time ran out. */
  async #unanswered(entry: Kept, wire: Wire): Promise<boolean> {
    const { metrics, outbox } = this.parts;
    if (!wire.isConnected || this.parts.wire() !== wire) {
      this.parts.waiting(entry);
      return false;
    }
    const tries = entry.tries + 1;
    metrics.note("send_unanswered", { messageId: entry.messageId, tries });
    if (tries < TRIES_MAX) {
      await outbox.update({ ...entry, tries });
      return true;
    }
    const failed: ErrorDetails = {
      code: "overloaded",
      message: "The server did not answer. Try again.",
      retryable: true,
    };
    await this.#giveUp({ ...entry, tries }, failed);
    return true;
  }

  async #refused(entry: Kept, error: ErrorDetails): Promise<boolean> {
    const { code, message, retryable, retryAfterMs } = error;
    const { gate, metrics } = this.parts;
    metrics.count("refused");
    metrics.note("refused", { messageId: entry.messageId, code, retryAfterMs });
    if (isSignedOutCode(code)) {
      this.parts.waiting(entry); // the connection ends
      return false;
    }
    if (!retryable) {
      await this.#giveUp(entry, error);
      return true;
    }
    void this.parts.beIn(entry.connectionId); // it may be in too many others
    gate.shut(retryAfterMs ?? RETRY_MS, code, message);
    this.parts.waiting(entry);
    this.#mustWait();
    return false;
  }

  async #giveUp(entry: Kept, failed: ErrorDetails): Promise<void> {
    await this.parts.outbox.update({ ...entry, failed });
    this.parts.refused(entry, failed);
  }
}

function outgoing(entry: Kept): Outgoing {
  const { messageId, connectionId, content, context, threadId } = entry;
  return {
    messageId,
    connectionId,
    content,
    ...(context === undefined ? {} : { context }),
    ...(threadId === undefined ? {} : { threadId }),
  };
}
