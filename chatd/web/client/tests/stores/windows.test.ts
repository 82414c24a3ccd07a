import { describe, expect, test } from "vitest";
import { WINDOW_MAX, type RoomView } from "../../src/stores/state";
import {
  dropped,
  emptyView,
  isBehind,
  placeLive,
  placeLocal,
  placeNewer,
  placeOlder,
  placeWhole,
  trimmed,
  TRIM_STEP,
  without,
  type Messages,
  type Page,
} from "../../src/stores/windows";
import type { ChatMessage } from "../../src/websocket/types";
import { fakeMessage } from "../fakes";

type Stored = ChatMessage & { seq: number };

const message = (seq: number, over: Partial<ChatMessage> = {}) =>
  fakeMessage(seq, { messageId: `m${seq}`, ...over }) as Stored;

/** A message of this user that waits. */
function local(messageId: string): ChatMessage {
  const { seq: _seq, ...rest } = fakeMessage(0, { messageId, userId: "ada", status: "pending" });
  return rest;
}

/** The page of a room of so many messages, between two seqs. */
function page(from: number, to: number, lastSeq = to, firstSeq = 1): Page {
  const messages = Array.from({ length: Math.max(0, to - from + 1) }, (_, n) => message(from + n));
  return { messages, hasMore: from > firstSeq, firstSeq, lastSeq };
}

function held(from: number, to: number, lastSeq = to): { view: RoomView; messages: Messages } {
  const messages: Messages = new Map();
  const at = to < lastSeq ? "around" : "tail";
  return { view: placeWhole(emptyView(), messages, page(from, to, lastSeq), at), messages };
}

const ids = (from: number, to: number) =>
  Array.from({ length: to - from + 1 }, (_, n) => `m${from + n}`);

describe("the newest page", () => {
  test("is the end of the room, with more before it", () => {
    const { view } = held(51, 100);
    expect(view).toMatchObject({ mode: "tail", oldest: 51, newest: 100, isReady: true });
    expect(view).toMatchObject({ firstSeq: 1, lastSeq: 100, hasOlder: true, hasNewer: false });
  });

  test("of an empty room is ready, and empty", () => {
    const { view } = held(1, 0);
    expect(view).toMatchObject({ ids: [], isReady: true, hasOlder: false, oldest: 0, newest: 0 });
  });

  test("a message that is tried again stays where it is", () => {
    const messages: Messages = new Map();
    const failed = placeLocal(emptyView(), messages, local("mine"));
    messages.delete("mine"); // nothing of the refusal stays
    expect(placeLocal(failed, messages, local("mine")).ids).toEqual(["mine"]);
  });

  test("takes the place of what was held, but for what waits", () => {
    const { view, messages } = held(1, 10);
    const waiting = placeLocal(view, messages, local("mine"));
    const next = placeWhole(waiting, messages, page(51, 60), "tail");
    expect(next.ids).toEqual([...ids(51, 60), "mine"]);
    expect([...messages.keys()].toSorted()).toEqual([...ids(51, 60), "mine"].toSorted());
  });

  test("numbers what waited here and was stored meanwhile", () => {
    const messages: Messages = new Map();
    const waiting = placeLocal(emptyView(), messages, local("m7"));
    const next = placeWhole(waiting, messages, page(1, 9), "tail");
    expect(next.ids).toEqual(ids(1, 9));
    expect(messages.get("m7")).toMatchObject({ seq: 7, status: "sent" });
  });

  test("that is behind what came live says so", () => {
    const { view, messages } = held(1, 10);
    const next = placeWhole({ ...view, lastSeq: 12 }, messages, page(1, 10), "tail");
    expect(isBehind(next)).toBe(true);
  });

  test("leaves messages that something else shows", () => {
    const { view, messages } = held(1, 3);
    placeWhole(view, messages, page(51, 60), "tail", (id) => id === "m2");
    expect(messages.has("m2")).toBe(true);
    expect(messages.has("m1")).toBe(false);
  });
});

describe("a message that comes by itself", () => {
  test("stands at the end, before what waits", () => {
    const { view, messages } = held(1, 3);
    const waiting = placeLocal(view, messages, local("mine"));
    const placed = placeLive(waiting, messages, message(4), false);
    expect(placed.view.ids).toEqual([...ids(1, 4), "mine"]);
    expect(placed.holeAfter).toBeUndefined();
  });

  test("that waited here gets its number at its place", () => {
    const { view, messages } = held(1, 3);
    const waiting = placeLocal(view, messages, local("mine"));
    const placed = placeLive(waiting, messages, message(4, { messageId: "mine" }), true);
    expect(placed.view).toMatchObject({ ids: [...ids(1, 3), "mine"], newest: 4 });
    expect(messages.get("mine")).toMatchObject({ seq: 4, status: "sent" });
  });

  test("with a hole before it is left out, and the hole is told", () => {
    const { view, messages } = held(1, 3);
    const placed = placeLive(view, messages, message(6), false);
    expect(placed).toMatchObject({ holeAfter: 3, view: { ids: ids(1, 3), lastSeq: 6 } });
    expect(messages.has("m6")).toBe(false);
    expect(isBehind(placed.view)).toBe(true);
  });

  test("again, or from above what is held, changes nothing but what it says", () => {
    const { view, messages } = held(3, 6);
    expect(placeLive(view, messages, message(5), false).view.ids).toEqual(ids(3, 6));
    expect(placeLive(view, messages, message(1), false).view.ids).toEqual(ids(3, 6));
    expect(messages.has("m1")).toBe(false);
  });

  test("to an empty room begins it, whatever its number", () => {
    const { view, messages } = held(1, 0);
    expect(placeLive(view, messages, message(8), false).view).toMatchObject({
      ids: ["m8"],
      oldest: 8,
      newest: 8,
    });
  });

  test("counts below a stretch elsewhere, once, and only if others wrote it", () => {
    const { view, messages } = held(1, 3, 50);
    let next = placeLive(view, messages, message(51), false).view;
    next = placeLive(next, messages, message(51), false).view;
    next = placeLive(next, messages, message(52), true).view;
    expect(next).toMatchObject({ newBelow: 1, ids: ids(1, 3), lastSeq: 52, hasNewer: true });
  });

  test("that waited at the end of a stretch elsewhere goes to its place, out of sight", () => {
    const { view, messages } = held(1, 3, 50);
    const waiting = placeLocal(view, messages, local("mine"));
    const next = placeLive(waiting, messages, message(51, { messageId: "mine" }), true).view;
    expect(next).toMatchObject({ ids: ids(1, 3), newBelow: 0 });
    expect(messages.has("mine")).toBe(false);
  });
});

describe("pages to both sides", () => {
  test("older ones stand before, until there are none", () => {
    const { view, messages } = held(51, 60);
    let next = placeOlder(view, messages, page(11, 50, 60));
    expect(next).toMatchObject({ ids: ids(11, 60), oldest: 11, hasOlder: true });
    next = placeOlder(next, messages, page(1, 10, 60));
    expect(next).toMatchObject({ ids: ids(1, 60), oldest: 1, hasOlder: false });
  });

  test("older ones that overlap stand there once", () => {
    const { view, messages } = held(51, 60);
    expect(placeOlder(view, messages, page(41, 55, 60)).ids).toEqual(ids(41, 60));
  });

  test("an older page that does not reach what is held now is left out", () => {
    const { view, messages } = held(51, 60);
    expect(placeOlder(view, messages, page(11, 40, 60))).toBe(view);
    expect(messages.has("m40")).toBe(false);
  });

  test("an older page holds what still stood last as not sent", () => {
    const { view, messages } = held(51, 60);
    const waiting = placeLocal(view, messages, local("m45"));
    expect(placeOlder(waiting, messages, page(41, 50, 60)).ids).toEqual(ids(41, 60));
  });

  test("newer ones follow, and the last one makes it the end of the room", () => {
    const { view, messages } = held(1, 10, 30);
    let next = placeNewer(view, messages, page(11, 20, 30));
    expect(next).toMatchObject({ mode: "around", ids: ids(1, 20), hasNewer: true });
    next = placeNewer({ ...next, newBelow: 3 }, messages, page(21, 30, 30));
    expect(next).toMatchObject({ mode: "tail", ids: ids(1, 30), hasNewer: false, newBelow: 0 });
  });

  test("a page after a reconnect appends what was missed, before what waits", () => {
    const { view, messages } = held(1, 10);
    const waiting = placeLocal(view, messages, local("mine"));
    expect(placeNewer(waiting, messages, page(11, 13)).ids).toEqual([...ids(1, 13), "mine"]);
  });

  test("a room that has lost what lies between begins anew", () => {
    const { view, messages } = held(1, 10);
    const next = placeNewer(view, messages, page(101, 120, 120, 101));
    expect(next).toMatchObject({ ids: ids(101, 120), oldest: 101, firstSeq: 101, hasOlder: false });
    expect(messages.has("m1")).toBe(false);
  });
});

describe("a window that is full", () => {
  test("lets go of its beginning in steps, where the reader is at the end", () => {
    const { view, messages } = held(1, WINDOW_MAX + 1);
    const next = trimmed(view, messages, "end");
    expect(next).toMatchObject({ oldest: TRIM_STEP + 1, newest: WINDOW_MAX + 1, hasOlder: true });
    expect(next.ids).toHaveLength(WINDOW_MAX + 1 - TRIM_STEP);
    expect(messages.size).toBe(next.ids.length);
    expect(next.mode).toBe("tail");
  });

  test("lets go of its end, where the reader is at the beginning; what waits stays", () => {
    const { view, messages } = held(1, WINDOW_MAX);
    const waiting = placeLocal(view, messages, local("mine"));
    const next = trimmed(waiting, messages, "start");
    expect(next).toMatchObject({ oldest: 1, newest: WINDOW_MAX - TRIM_STEP });
    expect(next).toMatchObject({ mode: "around", hasNewer: true });
    expect(next.ids.at(-1)).toBe("mine");
  });

  test("that is not full keeps all", () => {
    const { view, messages } = held(1, WINDOW_MAX);
    expect(trimmed(view, messages, "end")).toBe(view);
  });
});

test("a room that is dropped keeps what waits, and nothing else", () => {
  const { view, messages } = held(1, 10);
  let next = placeLocal(view, messages, local("mine"));
  next = placeLocal(next, messages, { ...local("answer"), replyTo: "m3" });
  next = dropped(next, messages);
  expect(next).toMatchObject({ ids: ["mine"], isReady: false, newest: 0 });
  expect([...messages.keys()]).toEqual(["mine"]);
});

test("a message that is taken out leaves no place", () => {
  const { view, messages } = held(1, 3);
  const waiting = placeLocal(view, messages, local("mine"));
  expect(without(waiting, messages, "mine").ids).toEqual(ids(1, 3));
  expect(messages.has("mine")).toBe(false);
});

/** Numbers from 0 up to 1, the same for the same seed. */
function randomOf(seed: number): () => number {
  let state = seed * 2_654_435_761 + 1;
  return () => {
    state = (Math.imul(state ^ (state >>> 15), 2_246_822_507) + 0x9e37_79b9) >>> 0;
    return ((state ^ (state >>> 13)) >>> 0) / 2 ** 32;
  };
}

function expectWhole(view: RoomView, messages: Messages): void {
  expect(new Set(view.ids).size).toBe(view.ids.length);
  const seqs = view.ids.map((id) => messages.get(id)?.seq);
  expect(view.ids.every((id) => messages.has(id))).toBe(true);
  const stored = seqs.filter((seq) => seq !== undefined);
  expect(seqs.slice(0, stored.length)).toEqual(stored); // what waits stands last
  const from = stored[0] ?? 0;
  expect(stored).toEqual(stored.map((_, n) => from + n)); // no hole
  expect([view.oldest, view.newest]).toEqual([stored[0] ?? 0, stored.at(-1) ?? 0]);
  expect(messages.size).toBe(view.ids.length); // nothing is held that nobody shows
}

test.each(Array.from({ length: 60 }, (_, seed) => seed))(
  "whatever comes in whatever order, a stretch has no hole and shows each message once (%i)",
  (seed) => {
    const random = randomOf(seed);
    const below = (n: number) => Math.floor(random() * n);
    const messages: Messages = new Map();
    let last = below(200);
    let waiting = 0;
    const between = (from: number, to: number) => page(Math.max(1, from), Math.min(last, to), last);
    let view = placeWhole(emptyView(), messages, between(last - 49, last), "tail");
    for (let step = 0; step < 60; step += 1) {
      const act = below(8);
      if (act === 0) view = placeOlder(view, messages, between(view.oldest - 50, view.oldest - 1));
      else if (act === 1) {
        view = placeNewer(view, messages, between(view.newest + 1, view.newest + 50));
      } else if (act === 2) {
        const middle = 1 + below(last);
        if (last > 0)
          view = placeWhole(view, messages, between(middle - 25, middle + 24), "around");
      } else if (act === 3) view = placeLocal(view, messages, local(`local ${waiting++}`));
      else if (act === 4) view = dropped(view, messages);
      else if (act === 5) view = placeWhole(view, messages, between(last - 49, last), "tail");
      else {
        last += 1 + (act === 7 ? below(3) : 0);
        const own = view.ids.find((id) => messages.get(id)?.seq === undefined);
        const come = message(last, own === undefined || random() < 0.5 ? {} : { messageId: own });
        // The room's own page would have it under the same id.
        if (come.messageId === `m${last}`) view = placeLive(view, messages, come, false).view;
      }
      if (!view.isReady) view = placeWhole(view, messages, between(last - 49, last), "tail");
      expectWhole(view, messages);
    }
  },
);
