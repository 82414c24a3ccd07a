/** Who is typing, until the server says that they have stopped, or says nothing for a while. */
import type { Clock } from "../websocket/clock";
import type { TypingUser } from "../websocket/types";
import type { TypingNotice } from "../websocket/wire.gen";
import { typingKey } from "./state";

/** Typing ends after so long without another sign; the server's own bound is 10 s. Unit: ms. */
export const TYPING_MS = 11_000;
/** The most users that are kept; more than a page ever shows. */
const TYPING_MAX = 200;

/** The users who are typing, with one timer for all of them. */
export class Typing {
  /** By key: when it ends, on the clock that never goes back. */
  #ends = new Map<string, number>();
  #users = new Map<string, TypingUser>();
  #stopTimer = () => {};

  constructor(
    private readonly clock: Clock,
    private readonly changed: (users: ReadonlyMap<string, TypingUser>) => void,
  ) {}

  heard(notice: TypingNotice): void {
    const { userId, connectionId, isTyping, name } = notice;
    if (!isTyping) {
      this.stopped(connectionId, userId);
      return;
    }
    const key = typingKey(connectionId, userId);
    if (!this.#users.has(key) && this.#users.size >= TYPING_MAX) return;
    this.#ends.set(key, this.clock.passed() + TYPING_MS);
    this.#users.set(key, {
      userId,
      connectionId,
      until: this.clock.now() + TYPING_MS,
      ...(name === undefined ? {} : { name }),
    });
    this.#tell();
  }

  /** A user has stopped, or has sent what was being typed. */
  stopped(room: string, userId: string): void {
    const key = typingKey(room, userId);
    this.#ends.delete(key);
    if (this.#users.delete(key)) this.#tell();
  }

  /** Forget everybody: no more signs come. */
  clear(): void {
    this.#stopTimer();
    this.#ends.clear();
    if (this.#users.size === 0) return;
    this.#users.clear();
    this.#tell();
  }

  #tell(): void {
    this.changed(new Map(this.#users));
    this.#stopTimer();
    const first = Math.min(...this.#ends.values());
    if (first === Infinity) return;
    this.#stopTimer = this.clock.after(Math.max(0, first - this.clock.passed()), () =>
      this.#expire(),
    );
  }

  #expire(): void {
    const now = this.clock.passed();
    for (const [key, end] of this.#ends) {
      if (end > now) continue;
      this.#ends.delete(key);
      this.#users.delete(key);
    }
    this.#tell();
  }
}
