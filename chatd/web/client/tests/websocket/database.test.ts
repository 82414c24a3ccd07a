import { IDBFactory } from "fake-indexeddb";
import { beforeEach, expect, test, vi } from "vitest";
import { Database, DatabaseMissing } from "../../src/websocket/database";
import { FakeClock } from "../clock";

let clock: FakeClock;

beforeEach(() => {
  vi.stubGlobal("indexedDB", new IDBFactory());
  clock = new FakeClock();
});

const entry = (messageId: string) => ({
  owner: "o",
  messageId,
  connectionId: "demo",
  content: "x",
  createdAt: 1,
  tries: 0,
});

const add = (database: Database, messageId: string) =>
  database.write((transaction) => transaction.objectStore("outbox").add(entry(messageId)));

const names = async (database: Database) =>
  (await database.entriesOf("o")).entries.map((kept) => kept.messageId);

test("what one tab has written another one reads", async () => {
  const [one, other] = [new Database(clock), new Database(clock)];
  await add(one, "a");
  await add(other, "b");
  expect(await names(one)).toEqual(["a", "b"]);
});

test("work that fails leaves nothing", async () => {
  const database = new Database(clock);
  const work = database.write(async (transaction) => {
    await transaction.objectStore("outbox").add(entry("a"));
    transaction.abort();
    throw new RangeError("no");
  });
  await expect(work).rejects.toThrow(RangeError);
  expect(await names(database)).toEqual([]);
});

test("a database that the user clears while it is open is made anew", async () => {
  const database = new Database(clock);
  await add(database, "a");
  const deleting = indexedDB.deleteDatabase("chatd");
  await new Promise((done, failed) => {
    deleting.addEventListener("success", done);
    deleting.addEventListener("error", failed);
  });
  expect(await names(database)).toEqual([]);
  await add(database, "b");
  expect(await names(database)).toEqual(["b"]);
});

test("work that a closing database has cut off is done once more, and once only", async () => {
  const database = new Database(clock);
  await add(database, "a");
  const gone = new DOMException("The database is closing.", "InvalidStateError");
  const open = IDBDatabase.prototype.transaction;
  const transaction = vi.spyOn(IDBDatabase.prototype, "transaction");
  transaction.mockImplementationOnce(() => {
    throw gone;
  });
  await add(database, "b");
  expect(await names(database)).toEqual(["a", "b"]);
  transaction.mockImplementation(() => {
    throw gone;
  });
  await expect(add(database, "c")).rejects.toThrow("closing");
  transaction.mockImplementation(open);
  expect(await names(database)).toEqual(["a", "b"]);
});

test("a tab with a newer page is let through, and this one goes on as far as it can", async () => {
  const database = new Database(clock);
  await add(database, "a");
  const newer = indexedDB.open("chatd", 2);
  await new Promise((done) => newer.addEventListener("success", done));
  await expect(add(database, "b")).rejects.toThrow(DatabaseMissing);
  newer.result.close();
});

test("a browser without a database says so, and is asked again the next time", async () => {
  const factory = indexedDB;
  const database = new Database(clock);
  vi.stubGlobal("indexedDB", undefined);
  await expect(add(database, "a")).rejects.toThrow(DatabaseMissing);
  vi.stubGlobal("indexedDB", factory);
  await add(database, "b");
  expect(await names(database)).toEqual(["b"]);
});

test("a database that does not open is waited for five seconds", async () => {
  const database = new Database(clock);
  const held = indexedDB.open("chatd", 1); // by a tab that lets nobody through
  await new Promise((done) => held.addEventListener("success", done));
  const deleting = indexedDB.deleteDatabase("chatd");
  await new Promise((done) => deleting.addEventListener("blocked", done));
  let end: unknown;
  const adding = add(database, "a").catch((error: unknown) => (end = error));
  await clock.pass(4_900);
  expect(end).toBeUndefined();
  await clock.pass(200);
  await adding;
  expect(end).toBeInstanceOf(DatabaseMissing);
  held.result.close();
});

test("after the end it is not opened again, until the chat starts again", async () => {
  const database = new Database(clock);
  database.close();
  await expect(add(database, "a")).rejects.toThrow(DatabaseMissing);
  database.reopen();
  await add(database, "a");
  expect(await names(database)).toEqual(["a"]);
});
