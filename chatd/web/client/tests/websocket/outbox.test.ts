import { IDBFactory } from "fake-indexeddb";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { Database } from "../../src/websocket/database";
import {
  Outbox,
  OUTBOX_MAX,
  OutboxFull,
  outboxOwner,
  type OutboxNews,
} from "../../src/websocket/outbox";
import { FakeClock, HANG_MS, settled } from "../clock";

let open: Outbox[];

beforeEach(() => {
  vi.stubGlobal("indexedDB", new IDBFactory());
  open = [];
});
afterEach(() => {
  for (const outbox of open) outbox.close();
});

interface Watched {
  outbox: Outbox;
  database: Database;
  news: OutboxNews[];
  unwritable: ReturnType<typeof vi.fn>;
  putBack: ReturnType<typeof vi.fn>;
}

/** A tab. */
function tab(user = "ada", url = "http://a/"): Watched {
  const news: OutboxNews[] = [];
  const unwritable = vi.fn();
  const putBack = vi.fn();
  const database = new Database(new FakeClock());
  const owner = outboxOwner(url, user);
  const outbox = new Outbox(owner, database, (it) => news.push(it), unwritable, putBack);
  open.push(outbox);
  return { outbox, database, news, unwritable, putBack };
}

const message = (messageId: string) => ({
  messageId,
  connectionId: "demo",
  content: `text of ${messageId}`,
  createdAt: 5,
});

const ids = async (outbox: Outbox) => (await outbox.all()).map((entry) => entry.messageId);

function broken(): never {
  throw new DOMException("The disk is full.", "QuotaExceededError");
}

/** The disk takes no new entry. */
function fillDisk(): void {
  vi.spyOn(IDBObjectStore.prototype, "add").mockImplementation(broken);
  vi.spyOn(IDBObjectStore.prototype, "put").mockImplementation(broken);
}

async function clearBrowser(): Promise<void> {
  const deleting = indexedDB.deleteDatabase("chatd");
  await new Promise((done, failed) => {
    deleting.addEventListener("success", done);
    deleting.addEventListener("error", failed);
  });
}

describe("a browser that is cleared while the page is open", () => {
  test("has what waited put back, before what is written after", async () => {
    const { outbox, putBack } = tab();
    await outbox.add(message("a"));
    await outbox.add(message("b"));
    expect(await ids(outbox)).toEqual(["a", "b"]);
    await clearBrowser();
    await outbox.add(message("c"));
    expect(await ids(outbox)).toEqual(["a", "b", "c"]);
    expect(putBack.mock.calls).toEqual([[2]]);
  });

  test("has it put back once, whichever tab is first, and nothing that was sent", async () => {
    const [one, other] = [tab(), tab()];
    await one.outbox.add(message("a"));
    await one.outbox.add(message("b"));
    for (const { outbox } of [one, other]) expect(await ids(outbox)).toEqual(["a", "b"]);
    const [first] = await one.outbox.all();
    await one.outbox.remove(first!, { kind: "sent", messageId: "a", timestamp: 1 });
    await settled();
    await clearBrowser();
    expect(await ids(other.outbox)).toEqual(["b"]);
    expect(await ids(one.outbox)).toEqual(["b"]);
  });
});

describe("the outbox", () => {
  test("keeps the order of typing over two tabs", async () => {
    const [one, other] = [tab(), tab()];
    for (let n = 0; n < 10; n += 1) await (n % 2 ? one : other).outbox.add(message(`${n}`));
    const order = Array.from({ length: 10 }, (_, n) => `${n}`);
    expect(await ids(one.outbox)).toEqual(order);
    expect(await ids(other.outbox)).toEqual(order);
  });

  test("tells the other tabs of what is added, sent and taken out", async () => {
    const [one, other] = [tab(), tab()];
    await one.outbox.add(message("a"));
    const entry = await one.outbox.find("a");
    await one.outbox.remove(entry!, { kind: "sent", messageId: "a", timestamp: 7 });
    await vi.waitUntil(() => other.news.length === 2, HANG_MS);
    expect(other.news).toEqual([
      { kind: "changed" },
      { kind: "sent", messageId: "a", timestamp: 7 },
    ]);
    expect(one.news).toEqual(other.news);
  });

  test("takes a hundred, and refuses the next one", async () => {
    const { outbox } = tab();
    for (let n = 0; n < OUTBOX_MAX; n += 1) await outbox.add(message(`${n}`));
    await expect(outbox.add(message("more"))).rejects.toThrow(OutboxFull);
    expect(await outbox.all()).toHaveLength(OUTBOX_MAX);
    await outbox.remove((await outbox.next())!, { kind: "removed", messageId: "0" });
    await outbox.add(message("more"));
    expect((await ids(outbox)).at(-1)).toBe("more");
  });

  test("lets one of two tabs take the last place", async () => {
    const [one, other] = [tab(), tab()];
    for (let n = 1; n < OUTBOX_MAX; n += 1) await one.outbox.add(message(`${n}`));
    const both = [one.outbox.add(message("x")), other.outbox.add(message("y"))];
    const ends = (await Promise.allSettled(both)).map((end) => end.status);
    expect(ends.toSorted()).toEqual(["fulfilled", "rejected"]);
    expect(await one.outbox.all()).toHaveLength(OUTBOX_MAX);
  });

  test("mixes neither users nor servers", async () => {
    await tab("ada").outbox.add(message("a"));
    await tab("bob").outbox.add(message("b"));
    await tab("ada", "http://b/").outbox.add(message("c"));
    expect(await ids(tab("ada").outbox)).toEqual(["a"]);
    expect(await ids(tab("bob").outbox)).toEqual(["b"]);
    await tab("bob").outbox.clear();
    expect(await ids(tab("ada", "http://b/").outbox)).toEqual(["c"]);
  });

  test("passes over what was given up, and takes it again at its old place", async () => {
    const { outbox } = tab();
    await outbox.add(message("a"));
    await outbox.add(message("b"));
    const first = (await outbox.next())!;
    const failed = { code: "forbidden_room", message: "No.", retryable: false } as const;
    await outbox.update({ ...first, failed });
    expect((await outbox.next())?.messageId).toBe("b");
    await outbox.update(first);
    expect((await outbox.next())?.messageId).toBe("a");
  });

  test("does not bring back what another tab has taken out", async () => {
    const [one, other] = [tab(), tab()];
    await one.outbox.add(message("a"));
    const entry = (await one.outbox.next())!;
    await other.outbox.remove(entry, { kind: "removed", messageId: "a" });
    await one.outbox.update({ ...entry, tries: 1 });
    expect(await one.outbox.all()).toEqual([]);
  });
});

describe("where the disk takes nothing", () => {
  test("a message waits in memory behind those on disk, and that is said", async () => {
    const { outbox, unwritable } = tab();
    await outbox.add(message("a"));
    fillDisk();
    await outbox.add(message("b"));
    await outbox.add(message("c"));
    expect(await ids(outbox)).toEqual(["a", "b", "c"]);
    expect(outbox.isVolatile).toBe(true);
    expect(unwritable).toHaveBeenCalledTimes(2);
    await outbox.remove((await outbox.find("b"))!, { kind: "removed", messageId: "b" });
    expect(await ids(outbox)).toEqual(["a", "c"]);
  });

  test("a hundred wait in memory, and the next one is refused", async () => {
    vi.stubGlobal("indexedDB", undefined);
    const { outbox } = tab();
    for (let n = 0; n < OUTBOX_MAX; n += 1) await outbox.add(message(`${n}`));
    await expect(outbox.add(message("more"))).rejects.toThrow(OutboxFull);
  });

  test("what became of a message on disk is still known in this tab", async () => {
    const { outbox } = tab();
    await outbox.add(message("a"));
    fillDisk();
    await outbox.update({ ...(await outbox.next())!, tries: 2 });
    expect((await outbox.next())?.tries).toBe(2);
  });

  test("a message that cannot be taken off the disk is not sent for ever", async () => {
    const { outbox } = tab();
    await outbox.add(message("a"));
    vi.spyOn(IDBObjectStore.prototype, "delete").mockImplementation(() => {
      throw new DOMException("No.", "UnknownError");
    });
    await outbox.remove((await outbox.next())!, { kind: "removed", messageId: "a" });
    expect(await outbox.next()).toBeUndefined();
  });

  test("tabs without a channel find what is there when they look", async () => {
    vi.stubGlobal("BroadcastChannel", undefined);
    const [one, other] = [tab(), tab()];
    await one.outbox.add(message("a"));
    await settled();
    expect(await ids(other.outbox)).toEqual(["a"]);
    expect(one.news).toHaveLength(1);
    expect(other.news).toHaveLength(0);
  });
});
