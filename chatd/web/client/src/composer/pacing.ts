/**
 * When to say that the user is typing. A start goes out 300 ms after the first key, and again every
 * 8 s while keys come, as the server ends it after 10 s; a stop goes out after 4 s of silence, or
 * at once when typing is over. The server limits starts, for all rooms of a user together; stops
 * are free.
 */

export const START_AFTER_MS = 300;
export const RENEW_AFTER_MS = 8_000;
export const SILENCE_MS = 4_000;
const MINUTE_MS = 60_000;

export interface TypingParts {
  /** Unit: ms, on any clock that does not go back. */
  now(): number;
  /** Call later; returns how to prevent that. */
  later(call: () => void, ms: number): () => void;
  tell(isTyping: boolean): void;
  /** How many starts the server allows in a minute. */
  perMinute(): number;
  /** When the last minute's starts went, shared by all composers of the chat. */
  starts: number[];
}

export class Typing {
  private isTold = false;
  private readonly timers = new Map<"start" | "renew" | "silence", () => void>();

  constructor(private readonly parts: TypingParts) {}

  /** The user has changed the text, which is not empty. */
  typed(): void {
    this.after("silence", SILENCE_MS, () => this.stop());
    if (this.isTold || this.timers.has("start")) return;
    this.after("start", START_AFTER_MS, () => this.start());
  }

  /**
   * The user has stopped typing: the text was sent, left or emptied, or no key came for a while.
   */
  stop(): void {
    for (const cancel of this.timers.values()) cancel();
    this.timers.clear();
    if (!this.isTold) return;
    this.isTold = false;
    this.parts.tell(false);
  }

  private start(): void {
    if (!this.isAllowed()) return;
    this.parts.starts.push(this.parts.now());
    this.isTold = true;
    this.parts.tell(true);
    this.after("renew", RENEW_AFTER_MS, () => this.start());
  }

  private isAllowed(): boolean {
    const { starts } = this.parts;
    const begin = this.parts.now() - MINUTE_MS;
    while (starts[0] !== undefined && starts[0] <= begin) starts.shift();
    return starts.length < this.parts.perMinute();
  }

  private after(name: "start" | "renew" | "silence", ms: number, call: () => void): void {
    this.timers.get(name)?.();
    const cancel = this.parts.later(() => {
      this.timers.delete(name);
      call();
    }, ms);
    this.timers.set(name, cancel);
  }
}
