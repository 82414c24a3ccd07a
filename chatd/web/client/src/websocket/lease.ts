/**
 * One at a time across all tabs. With Web Locks if the browser has them; a page on plain http has
 * none, and gets a lease in the database: a record that expires, so that a holder that crashed
 * blocks nobody for long. A tab that was merely slow may then overlap, which the ids of messages
 * make harmless. Without a database, tabs share no outbox, and only this tab counts.
 */
import type { Clock } from "./clock";
import { pause } from "./clock";
import type { Database } from "./database";

/** Longer than a tab waits for the answer to one message. Unit: ms. */
export const LEASE_MS = 15_000;
/** How often a waiting tab looks whether the lease is free. Unit: ms. */
const LOOK_FROM_MS = 25;
const LOOK_TO_MS = 75;

export interface Turns {
  /** Do the work while nobody else does work of this name, in whatever tab. */
  exclusively<T>(name: string, work: () => Promise<T>): Promise<T>;
}

export interface TurnsParts {
  clock: Clock;
  random(): number;
  database: Database;
  /** Undefined if the browser has none. */
  locks: LockManager | undefined;
}

/** The browser's locks; undefined on plain http. */
export function browserLocks(): LockManager | undefined {
  return typeof navigator === "undefined" ? undefined : navigator.locks;
}

export function createTurns({ clock, random, database, locks }: TurnsParts): Turns {
  const owner = `${random()}-${clock.now()}-${random()}`;
  /** The last work of this tab, by name. */
  const tails = new Map<string, Promise<unknown>>();

  function inThisTab<T>(name: string, work: () => Promise<T>): Promise<T> {
    const result = (tails.get(name) ?? Promise.resolve()).then(work, work);
    const settled = result.catch(() => {});
    tails.set(name, settled);
    void settled.then(() => tails.get(name) === settled && tails.delete(name));
    return result;
  }

  /** Take the lease; returns whether it is ours now. Rejects if there is no database. */
  function take(name: string): Promise<boolean> {
    return database.write(async (transaction) => {
      const leases = transaction.objectStore("leases");
      const held = await leases.get(name);
      const now = clock.now();
      // A lease that ends later than a new one would is from before the clock was set back.
      const isFree = held === undefined || held.until <= now || held.until > now + LEASE_MS;
      if (isFree) await leases.put({ name, owner, until: now + LEASE_MS });
      return isFree;
    });
  }

  function giveBack(name: string): Promise<void> {
    return database.write(async (transaction) => {
      const leases = transaction.objectStore("leases");
      if ((await leases.get(name))?.owner === owner) await leases.delete(name);
    });
  }

  async function underLease<T>(name: string, work: () => Promise<T>): Promise<T> {
    let isHeld = false;
    try {
      while (!(await take(name))) {
        await pause(clock, LOOK_FROM_MS + (LOOK_TO_MS - LOOK_FROM_MS) * random());
      }
      isHeld = true;
    } catch {
      // Without a database nothing is shared with other tabs.
    }
    try {
      return await work();
    } finally {
      if (isHeld) await giveBack(name).catch(() => {});
    }
  }

  return {
    async exclusively(name, work) {
      if (locks === undefined) return inThisTab(name, () => underLease(name, work));
      let hasBegun = false;
      try {
        return await locks.request(name, () => {
          hasBegun = true;
          return work();
        });
      } catch (error) {
        // A page without an origin has locks and may not use them.
        if (hasBegun) throw error;
        return inThisTab(name, () => underLease(name, work));
      }
    },
  };
}
