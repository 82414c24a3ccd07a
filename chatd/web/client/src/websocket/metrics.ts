/** What the connection panel shows: events and figures, without content and without tokens. */
import type { Clock } from "./clock";

export interface LoggedEvent {
  /** Unit: ms since 1970. */
  at: number;
  event: string;
  fields: Readonly<Record<string, string | number | boolean | undefined>>;
}

export interface Figures {
  sent: number;
  received: number;
  duplicates: number;
  reconnects: number;
  gapsFilled: number;
  refused: number;
  /** From send to `sent`. Unit: ms. */
  sendP50: number | undefined;
  sendP95: number | undefined;
  /** Over the last minute. */
  receivedPerSecond: number;
}

export interface EventLog {
  readonly events: readonly LoggedEvent[];
  figures(): Figures;
  subscribe(changed: () => void): () => void;
}

/** The most events that are kept; the oldest go. */
export const EVENTS_MAX = 500;
/** How many of the times from send to `sent` go into the percentiles. */
const SEND_TIMES_MAX = 500;
const MINUTE_MS = 60_000;

type Counted = "sent" | "duplicates" | "reconnects" | "gapsFilled" | "refused";

/** The log of one chat, as the parts that do the work write it. */
export class Metrics implements EventLog {
  #events: readonly LoggedEvent[] = [];
  #counts: Record<Counted, number> = {
    sent: 0,
    duplicates: 0,
    reconnects: 0,
    gapsFilled: 0,
    refused: 0,
  };
  #received = 0;
  #sendMs: number[] = [];
  /** Events received in each of the last 60 s, by the second. */
  #bySecond = new Map<number, number>();
  #listeners = new Set<() => void>();

  constructor(private readonly clock: Clock) {}

  get events(): readonly LoggedEvent[] {
    return this.#events;
  }

  /** Something happened. Ids, codes and numbers only: never content, never a token. */
  note(event: string, fields: LoggedEvent["fields"] = {}): void {
    const kept = this.#events.length < EVENTS_MAX ? this.#events : this.#events.slice(1);
    this.#events = [...kept, { at: this.clock.now(), event, fields }];
    for (const changed of this.#listeners) changed();
  }

  count(what: Counted): void {
    this.#counts[what] += 1;
  }

  /** An event came from the server. */
  heard(): void {
    this.#received += 1;
    const second = Math.floor(this.clock.passed() / 1_000);
    this.#bySecond.set(second, (this.#bySecond.get(second) ?? 0) + 1);
    if (this.#bySecond.size > 120) this.#forgetOld(second);
  }

  /** A message was stored, so long after it was sent. */
  stored(ms: number): void {
    this.count("sent");
    this.#sendMs.push(ms);
    if (this.#sendMs.length > SEND_TIMES_MAX) this.#sendMs.shift();
  }

  figures(): Figures {
    const second = Math.floor(this.clock.passed() / 1_000);
    this.#forgetOld(second);
    let lately = 0;
    for (const n of this.#bySecond.values()) lately += n;
    const times = this.#sendMs.toSorted((a, b) => a - b);
    return {
      ...this.#counts,
      received: this.#received,
      sendP50: percentile(times, 0.5),
      sendP95: percentile(times, 0.95),
      receivedPerSecond: lately / (MINUTE_MS / 1_000),
    };
  }

  subscribe(changed: () => void): () => void {
    this.#listeners.add(changed);
    return () => void this.#listeners.delete(changed);
  }

  #forgetOld(second: number): void {
    for (const key of this.#bySecond.keys()) {
      if (key <= second - MINUTE_MS / 1_000) this.#bySecond.delete(key);
    }
  }
}

/** The value of a sorted list that this share of it does not exceed. */
function percentile(sorted: readonly number[], share: number): number | undefined {
  return sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)];
}
