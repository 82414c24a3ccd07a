/**
 * The browser's database, which may be missing, full, blocked, closed by another tab or cleared by
 * the user while it is open. It is opened at the first use, and again when it has gone.
 */
import { openDB, type DBSchema, type IDBPDatabase, type IDBPTransaction } from "idb";
import type { Clock } from "./clock";
import type { OutboxEntry } from "./outbox";
import { uuid } from "./uuid";

export interface Lease {
  name: string;
  owner: string;
  /** Unit: ms since 1970. */
  until: number;
}

export interface ChatSchema extends DBSchema {
  outbox: { key: number; value: OutboxEntry; indexes: { owner: string } };
  leases: { key: string; value: Lease };
}

/**
 * The lease that nobody gives back: its owner identifies this very database, among others of its
 * name.
 */
const BIRTH = "chatd:birth";

/**
 * What is in the outbox of an owner, and in which database: after clearing, there is another one.
 */
export interface Stored {
  entries: OutboxEntry[];
  birth: string | undefined;
}

export type StoreName = "outbox" | "leases";
export type Writing = IDBPTransaction<ChatSchema, StoreName[], "readwrite">;

/** The browser gives no database at all. */
export class DatabaseMissing extends Error {
  override name = "DatabaseMissing";
}

const NAME = "chatd";
const VERSION = 1;
/** Another tab may hold an older version open; it is asked to close, and this tab waits so long. */
const OPEN_MS = 5_000;

export class Database {
  #opening: Promise<IDBPDatabase<ChatSchema>> | undefined;
  #isClosed = false;

  constructor(private readonly clock: Clock) {}

  /**
   * Work in one transaction, which is on disk when the promise resolves. Work that a closed
   * database has cut off is done once more. Rejects with `DatabaseMissing`, or with what the
   * browser says.
   */
  async write<T>(work: (transaction: Writing) => Promise<T>): Promise<T> {
    const run = async () => {
      const db = await this.#open();
      const transaction = db.transaction(["outbox", "leases"], "readwrite", {
        durability: "strict",
      });
      const done = transaction.done;
      done.catch(() => {}); // the work's own error is the one to tell
      const result = await work(transaction);
      await done;
      return result;
    };
    return this.#twice(run);
  }

  async entriesOf(owner: string): Promise<Stored> {
    return this.#twice(async () => {
      const transaction = (await this.#open()).transaction(["outbox", "leases"]);
      const [entries, birth] = await Promise.all([
        transaction.objectStore("outbox").index("owner").getAll(owner),
        birthOf(transaction),
      ]);
      return { entries, birth };
    });
  }

  close(): void {
    this.#isClosed = true;
    this.#forget(this.#opening);
  }

  /** A database that was closed before is opened again. */
  reopen(): void {
    this.#isClosed = false;
  }

  async #twice<T>(run: () => Promise<T>): Promise<T> {
    try {
      return await run();
    } catch (error) {
      if (!wasCutOff(error)) throw error;
      this.#forget(this.#opening);
      return run();
    }
  }

  #open(): Promise<IDBPDatabase<ChatSchema>> {
    if (this.#isClosed) return Promise.reject(new DatabaseMissing("The chat has ended."));
    if (this.#opening !== undefined) return this.#opening;
    const opening = this.#opened();
    this.#opening = opening;
    opening.catch(() => {
      if (this.#opening === opening) this.#opening = undefined; // the next use tries again
    });
    return opening;
  }

  async #opened(): Promise<IDBPDatabase<ChatSchema>> {
    let stop: (() => void) | undefined;
    const late = new Promise<never>((_, reject) => {
      stop = this.clock.after(OPEN_MS, () => reject(new Error("It does not open.")));
    });
    try {
      if (typeof indexedDB === "undefined") throw new Error("There is no IndexedDB.");
      return await Promise.race([this.#openNow(), late]);
    } catch (error) {
      throw new DatabaseMissing("This browser has no database for this page.", { cause: error });
    } finally {
      stop?.();
    }
  }

  async #openNow(): Promise<IDBPDatabase<ChatSchema>> {
    const db = await openDB<ChatSchema>(NAME, VERSION, {
      upgrade(fresh) {
        fresh
          .createObjectStore("outbox", { keyPath: "key", autoIncrement: true })
          .createIndex("owner", "owner");
        const leases = fresh.createObjectStore("leases", { keyPath: "name" });
        void leases.put({ name: BIRTH, owner: uuid(), until: 0 });
      },
      blocking: (_current, _wanted, event) => {
        this.#opening = undefined;
        (event.target as IDBDatabase | null)?.close();
      },
      terminated: () => {
        this.#opening = undefined;
      },
    });
    if (this.#isClosed) db.close();
    return db;
  }

  #forget(opening: Promise<IDBPDatabase<ChatSchema>> | undefined): void {
    if (opening === undefined) return;
    if (this.#opening === opening) this.#opening = undefined;
    opening.then(
      (db) => db.close(),
      () => {},
    );
  }
}

/** Which database this is. */
export async function birthOf(
  transaction: IDBPTransaction<ChatSchema, StoreName[], "readonly" | "readwrite">,
): Promise<string | undefined> {
  return (await transaction.objectStore("leases").get(BIRTH))?.owner;
}

/**
 * Whether the database went away during the work: closed by another tab, or cleared by the user.
 */
function wasCutOff(error: unknown): boolean {
  return (
    error instanceof DOMException &&
    ["InvalidStateError", "NotFoundError", "AbortError"].includes(error.name)
  );
}
