import { describe, expect, test, vi } from "vitest";
import {
  LocalMarkers,
  READ_EVERY_MS,
  roomAfter,
  roomAfterDeletion,
  roomOf,
  roomReadTo,
  roomTold,
  Told,
} from "../../src/stores/reads";
import { FakeClock } from "../clock";
import { fakeMessage, fakeRoom } from "../fakes";
import { memoryStore } from "../memory";

describe("unread messages", () => {
  test("are those of others behind the marker, each counted once", () => {
    let room = fakeRoom("demo", { lastSeq: 3, readSeq: 3 });
    room = roomAfter(room, fakeMessage(4), "ada");
    room = roomAfter(room, fakeMessage(4), "ada");
    room = roomAfter(room, fakeMessage(5, { userId: "ada" }), "ada");
    room = roomAfter(room, fakeMessage(6, { mentions: ["bob", "ada"] }), "ada");
    room = roomAfter(room, fakeMessage(7, { deletedAt: 1, mentions: ["ada"] }), "ada");
    expect(room).toMatchObject({ lastSeq: 7, unread: 2, mentions: 1 });
  });

  test("that are deleted do not count any more", () => {
    const room = fakeRoom("demo", { lastSeq: 6, readSeq: 3, unread: 2, mentions: 1 });
    const mention = fakeMessage(6, { mentions: ["ada"] });
    expect(roomAfterDeletion(room, mention, "ada")).toMatchObject({ unread: 1, mentions: 0 });
    expect(roomAfterDeletion(room, fakeMessage(2), "ada")).toBe(room);
    expect(roomAfterDeletion(room, fakeMessage(5, { userId: "ada" }), "ada")).toBe(room);
    expect(roomAfterDeletion(room, { ...mention, deletedAt: 1 }, "ada")).toBe(room);
  });
});

describe("the marker", () => {
  const room = fakeRoom("demo", { lastSeq: 9, readSeq: 3, unread: 5, mentions: 1 });
  const held = [4, 5, 6, 7, 8, 9].map((seq) =>
    fakeMessage(seq, seq === 5 ? { userId: "ada" } : seq === 6 ? { mentions: ["ada"] } : {}),
  );

  test("at the end leaves nothing unread", () => {
    expect(roomReadTo(room, 9, [], "ada")).toMatchObject({ readSeq: 9, unread: 0, mentions: 0 });
  });

  test("in the middle leaves what is behind it", () => {
    expect(roomReadTo(room, 6, held, "ada")).toMatchObject({ readSeq: 6, unread: 3, mentions: 0 });
  });

  test("never goes back, whoever says so", () => {
    expect(roomReadTo(room, 2, held, "ada")).toBe(room);
    const told = { connectionId: "demo", readSeq: 2, unread: 7, mentions: 1 };
    expect(roomTold(room, told)).toBe(room);
    expect(roomTold(room, { ...told, readSeq: 8, unread: 1 })).toMatchObject({
      readSeq: 8,
      unread: 1,
    });
  });
});

test("an older server tells less of a room, and the rest is nought", () => {
  expect(roomOf({ connectionId: "demo", lastSeq: 7, unread: 2 })).toEqual(
    fakeRoom("demo", { lastSeq: 7, readSeq: 7, unread: 2 }),
  );
});

describe("the markers of this browser", () => {
  const room = fakeRoom("demo", { lastSeq: 10, unread: 3 });

  test("begin where the server says that messages are owed", () => {
    const markers = new LocalMarkers(memoryStore(), "chatd.a/");
    expect(markers.applied(room)).toMatchObject({ readSeq: 7, unread: 3 });
  });

  test("outlive a visit", () => {
    const store = memoryStore();
    new LocalMarkers(store, "chatd.a/").keep("demo", 9);
    expect(new LocalMarkers(store, "chatd.a/").applied(room)).toMatchObject({
      readSeq: 9,
      unread: 1,
    });
    expect(new LocalMarkers(store, "chatd.b/").applied(room)).toMatchObject({ readSeq: 7 });
  });

  test("of a log that was longer do not count", () => {
    const store = memoryStore();
    const markers = new LocalMarkers(store, "chatd.a/");
    markers.keep("demo", 5_000);
    expect(markers.applied(room)).toMatchObject({ readSeq: 7 });
    store.write("chatd.a/read.demo", "nonsense");
    expect(markers.applied(room)).toMatchObject({ readSeq: 7 });
  });
});

describe("what is told once in a while", () => {
  test("is told at once, and then the last of the rest", async () => {
    const clock = new FakeClock();
    const tell = vi.fn((_room: string, _seq: number) => true);
    const told = new Told<number>(clock, tell);
    for (const seq of [1, 2, 3]) told.put("demo", seq);
    told.put("sales", 9);
    expect(tell.mock.calls).toEqual([
      ["demo", 1],
      ["sales", 9],
    ]);
    await clock.pass(READ_EVERY_MS - 1);
    expect(tell).toHaveBeenCalledTimes(2);
    await clock.pass(1);
    expect(tell.mock.calls.slice(2)).toEqual([["demo", 3]]);
    await clock.pass(10 * READ_EVERY_MS);
    expect(tell).toHaveBeenCalledTimes(3);
    expect(clock.waiting).toBe(0);
  });

  test("waits for a connection, and is told then", async () => {
    const clock = new FakeClock();
    let isConnected = false;
    const tell = vi.fn((_room: string, _seq: number) => isConnected);
    const told = new Told<number>(clock, tell);
    told.put("demo", 1);
    await clock.pass(5_000);
    isConnected = true;
    told.retry();
    expect(tell).toHaveBeenLastCalledWith("demo", 1);
    await clock.pass(5_000);
    told.retry();
    await clock.pass(5_000);
    expect(tell).toHaveBeenCalledTimes(2);
  });
});
