/**
 * Messages to be sent, on this browser's disk, for all tabs of one user at one server. The key of
 * an entry gives the order. If the disk takes nothing, an entry is kept in the memory of this tab:
 * it is still sent, in its order, and only leaving the page would lose it. If the user clears the
 * browser's data while the page is open, what waited is put back.
 */
import { birthOf, type Database, type Writing } from "./database";
import type { ErrorDetails, MessageContext } from "./types";

/** The most messages that wait, over all tabs. */
export const OUTBOX_MAX = 100;
/** Keys of entries in memory: after all keys on disk. */
const MEMORY_KEYS_FROM = 2 ** 50;

export interface OutboxEntry {
  /** Given by the database. */
  key?: number;
  /** The server and the user, as `outboxOwner` joins them. */
  owner: string;
  messageId: string;
  connectionId: string;
  content: string;
  context?: MessageContext;
  threadId?: string;
  /** Unit: ms since 1970. */
  createdAt: number;
  /** How often no answer to it came in time. */
  tries: number;
  /** Why it was given up. It stays until its user decides. */
  failed?: ErrorDetails;
}

export type NewEntry = Omit<OutboxEntry, "key" | "owner" | "tries" | "failed">;
/** An entry that is in the outbox. */
export type Kept = OutboxEntry & { key: number };

/** As many messages wait as may; the caller has to keep the text. */
export class OutboxFull extends Error {
  override name = "OutboxFull";
  constructor() {
    super(`${OUTBOX_MAX} messages wait already. Yours is kept here; send it when some have left.`);
  }
}

/** There is no user yet whose message this could be; the caller has to keep the text. */
export class OutboxUnwritable extends Error {
  override name = "OutboxUnwritable";
}

/** What one tab tells the others. */
export type OutboxNews =
  | { kind: "changed" }
  | { kind: "sent"; messageId: string; timestamp: number }
  | { kind: "removed"; messageId: string };

/** Whose outbox it is: the same user id at another server is another user. */
export function outboxOwner(url: string, userId: string): string {
  return `${url}\n${userId}`;
}

export class Outbox {
  /** Entries that the disk did not take. */
  #memory = new Map<number, Kept>();
  /** Changes of entries on disk that the disk did not take. */
  #overlay = new Map<number, Kept>();
  /** Entries that were removed, whatever the disk says. */
  #gone = new Set<number>();
  /** What was on disk when it was last read, by message, and in which database. */
  #seen = new Map<string, Kept>();
  #birth: string | undefined;
  #nextMemoryKey = MEMORY_KEYS_FROM;
  #channel: BroadcastChannel | undefined;

  /**
   * @param changed somebody has changed the outbox: this tab, or another one
   * @param unwritable the disk did not take an entry, which is in memory now
   * @param putBack so many entries were put back into a database that the user has cleared
   */
  constructor(
    readonly owner: string,
    private readonly database: Database,
    private readonly changed: (news: OutboxNews) => void,
    private readonly unwritable: () => void,
    private readonly putBack: (count: number) => void = () => {},
  ) {
    try {
      this.#channel = new BroadcastChannel(`chatd:outbox:${owner}`);
      this.#channel.addEventListener("message", (event: MessageEvent<OutboxNews>) => {
        if (event.data.kind !== "changed") this.#seen.delete(event.data.messageId);
        this.changed(event.data);
      });
    } catch {
      // Tabs hear of each other's messages when they look the next time.
    }
  }

  /** Whether entries are in memory alone. */
  get isVolatile(): boolean {
    return this.#memory.size > 0;
  }

  /** All entries in their order. */
  async all(): Promise<Kept[]> {
    const kept = await this.#stored().catch(() => []);
    return [...kept, ...this.#memory.values()];
  }

  /** The next one that has not been given up. */
  async next(): Promise<Kept | undefined> {
    return (await this.all()).find((entry) => entry.failed === undefined);
  }

  async find(messageId: string): Promise<Kept | undefined> {
    return (await this.all()).find((entry) => entry.messageId === messageId);
  }

  /** Rejects with `OutboxFull` if as many wait as may. */
  async add(entry: NewEntry): Promise<void> {
    const whole: OutboxEntry = { ...entry, owner: this.owner, tries: 0 };
    try {
      await this.database.write(async (transaction) => {
        await this.#restore(transaction);
        const store = transaction.objectStore("outbox");
        // Counted in the transaction: two tabs cannot both take the last place.
        const count = await store.index("owner").count(this.owner);
        if (count - this.#gone.size + this.#memory.size >= OUTBOX_MAX) throw new OutboxFull();
        await store.add(whole);
      });
    } catch (error) {
      if (error instanceof OutboxFull) throw error;
      if (this.#memory.size >= OUTBOX_MAX) throw new OutboxFull();
      const key = this.#nextMemoryKey++;
      this.#memory.set(key, { ...whole, key });
      this.unwritable();
    }
    this.#tell({ kind: "changed" });
  }

  async update(entry: Kept): Promise<void> {
    if (this.#memory.has(entry.key)) this.#memory.set(entry.key, entry);
    else {
      try {
        await this.database.write(async (transaction) => {
          const store = transaction.objectStore("outbox");
          // Another tab may have removed it meanwhile: it is not to come back.
          if ((await store.getKey(entry.key)) !== undefined) await store.put(entry);
        });
        this.#overlay.delete(entry.key);
      } catch {
        this.#overlay.set(entry.key, entry);
      }
    }
    this.#tell({ kind: "changed" });
  }

  async remove(entry: Kept, news: OutboxNews): Promise<void> {
    this.#seen.delete(entry.messageId);
    if (!this.#memory.delete(entry.key)) {
      try {
        await this.database.write((transaction) =>
          transaction.objectStore("outbox").delete(entry.key),
        );
        this.#overlay.delete(entry.key);
      } catch {
        this.#gone.add(entry.key);
      }
    }
    this.#tell(news);
  }

  /** Forget all that waits. */
  async clear(): Promise<void> {
    for (const entry of await this.all()) {
      await this.remove(entry, { kind: "removed", messageId: entry.messageId });
    }
  }

  close(): void {
    this.#channel?.close();
    this.#channel = undefined;
  }

  /** The entries on disk, as they are by now. */
  async #stored(): Promise<Kept[]> {
    let stored = await this.database.entriesOf(this.owner);
    if (this.#isAnother(stored.birth)) {
      await this.database.write((transaction) => this.#restore(transaction));
      this.#overlay.clear();
      this.#gone.clear();
      stored = await this.database.entriesOf(this.owner);
    }
    const kept = stored.entries.flatMap((entry): Kept[] => {
      const { key } = entry;
      if (key === undefined || this.#gone.has(key)) return [];
      return [this.#overlay.get(key) ?? { ...entry, key }];
    });
    this.#birth = stored.birth;
    kept.sort((a, b) => a.key - b.key);
    this.#seen = new Map(kept.map((entry) => [entry.messageId, entry]));
    return kept;
  }

  #isAnother(birth: string | undefined): boolean {
    return this.#birth !== undefined && birth !== this.#birth;
  }

  /** Put back what waited in a database that is gone, before what is written to this one. */
  async #restore(transaction: Writing): Promise<void> {
    if (!this.#isAnother(await birthOf(transaction))) return;
    const store = transaction.objectStore("outbox");
    const there = await store.index("owner").getAll(this.owner);
    const known = new Set(there.map((entry) => entry.messageId)); // another tab was first
    const lost = [...this.#seen.values()].filter((entry) => !known.has(entry.messageId));
    for (const { key: _key, ...entry } of lost) await store.add(entry);
    if (lost.length > 0) this.putBack(lost.length);
  }

  #tell(news: OutboxNews): void {
    try {
      this.#channel?.postMessage(news);
    } catch {
      // The channel is closed: the chat has ended meanwhile.
    }
    this.changed(news);
  }
}
