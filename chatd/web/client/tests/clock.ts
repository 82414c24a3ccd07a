/** A clock that stands still until a test moves it. Nothing sleeps. */
import type { Clock } from "../src/websocket/clock";

/** What has not come on the machine's clock within this time never comes. */
export const HANG_MS = 30_000;

export class FakeClock implements Clock {
  #passed = 1_000;
  #ahead = 1_750_000_000_000;
  #timers = new Map<number, { at: number; run: () => void }>();
  #next = 1;

  now(): number {
    return this.#passed + this.#ahead;
  }

  passed(): number {
    return this.#passed;
  }

  after(ms: number, run: () => void): () => void {
    const id = this.#next++;
    this.#timers.set(id, { at: this.#passed + ms, run });
    return () => void this.#timers.delete(id);
  }

  /** How many timers run. */
  get waiting(): number {
    return this.#timers.size;
  }

  /** The user sets the clock; what runs already is not touched by that. */
  set(ms: number): void {
    this.#ahead += ms;
  }

  /** Let time pass, with all that is due in it, and what that begins. */
  async pass(ms: number): Promise<void> {
    const end = this.#passed + ms;
    await settled();
    for (;;) {
      const due = [...this.#timers].filter(([, timer]) => timer.at <= end);
      const first = due.toSorted(([a, one], [b, other]) => one.at - other.at || a - b)[0];
      if (first === undefined) break;
      const [id, { at, run }] = first;
      this.#timers.delete(id);
      this.#passed = Math.max(this.#passed, at);
      run();
      await settled();
    }
    this.#passed = end;
  }
}

/** Everything that waits for nothing but its turn has had it: promises, and the database. */
export async function settled(): Promise<void> {
  for (let turn = 0; turn < 80; turn += 1) await new Promise((done) => setImmediate(done));
}
