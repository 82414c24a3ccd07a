/**
 * When the next message may go out, across all tabs of a user. A server that said "not before"
 * doubles the wait of a client that does not listen; so all tabs listen, and for a minute after a
 * refusal they send no faster than the server's limit grants them messages.
 */
import type { Clock } from "./clock";
import type { KeyStore } from "./storage";
import type { Pacing } from "./types";

/** How long sending is slow after a refusal. Unit: ms. */
export const PACED_MS = 60_000;
/** The longest wait; a record that says more is from before the clock was set back. Unit: ms. */
export const SHUT_MAX_MS = 120_000;
/** Clocks are not that exact: a little later than the server said is never too early. Unit: ms. */
const MARGIN_MS = 50;

interface Kept extends Pacing {
  /** Until when sending is slow. Unit: ms since 1970. */
  pacedUntil: number;
}

export class Gate {
  constructor(
    private readonly key: string,
    private readonly store: KeyStore,
    private readonly clock: Clock,
  ) {}

  /** How long nothing may be sent. Unit: ms. */
  waitMs(): number {
    const kept = this.#read();
    return kept === undefined ? 0 : Math.max(0, kept.until - this.clock.now());
  }

  /** Why and until when, while sending is held back or slow. */
  pacing(): Pacing | undefined {
    const kept = this.#read();
    if (kept === undefined || Math.max(kept.until, kept.pacedUntil) <= this.clock.now()) {
      return undefined;
    }
    return { until: kept.until, code: kept.code, reason: kept.reason };
  }

  /** The server said not to send for so long. */
  shut(ms: number, code: string, reason: string): void {
    const now = this.clock.now();
    const until = now + Math.min(ms, SHUT_MAX_MS - MARGIN_MS) + MARGIN_MS;
    const pacedUntil = code === "rate_limited" ? now + PACED_MS : (this.#read()?.pacedUntil ?? 0);
    this.#write({ until, code, reason, pacedUntil });
  }

  /**
   * A message went through: while sending is slow, the next one waits until the limit allows it.
   */
  passed(messagesPerMinute: number): void {
    const kept = this.#read();
    const now = this.clock.now();
    if (kept === undefined) return;
    if (kept.pacedUntil <= now) this.store.remove(this.key);
    else this.#write({ ...kept, until: now + 60_000 / Math.max(messagesPerMinute, 1) });
  }

  /** Open it if it was shut for this reason, which is over. */
  reopen(code: string): void {
    if (this.#read()?.code === code) this.store.remove(this.key);
  }

  #read(): Kept | undefined {
    const text = this.store.read(this.key);
    if (text === undefined) return undefined;
    try {
      const kept = JSON.parse(text) as Partial<Kept>;
      const { until = 0, pacedUntil = 0, code = "", reason = "" } = kept;
      const latest = this.clock.now() + SHUT_MAX_MS;
      if (!(until <= latest && pacedUntil <= latest)) return undefined;
      return { until, pacedUntil, code: String(code), reason: String(reason) };
    } catch {
      return undefined;
    }
  }

  #write(kept: Kept): void {
    this.store.write(this.key, JSON.stringify(kept));
  }
}
