import { describe, expect, test } from "vitest";
import { deleted, edited, hitsAfter, merged, reacted, replied } from "../../src/stores/changes";
import type { Answer, ChatMessage } from "../../src/websocket/types";
import { fakeMessage } from "../fakes";

const at = { messageId: "m", connectionId: "demo", seq: 1 };
const edit = (rev: number, content: string) => ({ ...at, rev, content, editedAt: rev });
const react = (rev: number, userId: string, emoji: string, on = true) => ({
  ...at,
  rev,
  userId,
  emoji,
  on,
});

function answer(rows: number): Answer {
  return {
    state: "done",
    rowCount: 3,
    truncated: false,
    elapsedMs: 1,
    cached: false,
    columns: [],
    rows: Array.from({ length: rows }, () => [1]),
    ...(rows < 3 ? { rowsOmitted: 3 - rows } : {}),
  };
}

describe("a change", () => {
  const message: ChatMessage = fakeMessage(1, { raw: "<b>", mentions: ["ada"], rev: 3 });

  test("gives a message its new text, and takes with it what belonged to the old one", () => {
    expect(edited(message, edit(4, "new"))).toMatchObject({ content: "new", rev: 4, editedAt: 4 });
    expect(edited(message, edit(4, "new"))).not.toHaveProperty("raw");
    expect(edited(message, edit(4, "new"))).not.toHaveProperty("mentions");
    expect(edited(message, { ...edit(4, "< b>"), raw: "<b>" })).toMatchObject({ raw: "<b>" });
  });

  test("that is older than what is held changes nothing", () => {
    expect(edited(message, edit(3, "old"))).toBe(message);
    expect(deleted(message, { ...at, rev: 2, deletedAt: 1 })).toBe(message);
    expect(reacted(message, react(1, "bob", "+"))).toBe(message);
  });

  test("that deletes leaves the place, and nothing of what was said", () => {
    const full = { ...message, answer: answer(3), context: { schema: "x" }, reactions: [] };
    const gone = deleted(full, { ...at, rev: 9, deletedAt: 5 });
    expect(gone).toMatchObject({ content: "", deletedAt: 5, rev: 9, seq: 1, userId: "bob" });
    for (const field of ["raw", "mentions", "answer", "context", "reactions"]) {
      expect(gone).not.toHaveProperty(field);
    }
  });

  test("that erases its author leaves no name, and one more id of nobody", () => {
    const named = { ...message, name: "Bob" };
    const gone = deleted(named, { ...at, rev: 9, deletedAt: 5, userId: "chatd:erased:1" });
    expect(gone).toMatchObject({ content: "", deletedAt: 5, userId: "chatd:erased:1" });
    expect(gone).not.toHaveProperty("name");
  });

  test("puts reactions in the order of coming, each user once, and takes them off", () => {
    let now = reacted(fakeMessage(1), react(1, "ada", "+"));
    now = reacted(now, react(2, "bob", "+"));
    now = reacted(now, react(3, "bob", "-"));
    now = reacted(now, react(4, "bob", "+"));
    expect(now.reactions).toEqual([
      { emoji: "+", users: ["ada", "bob"] },
      { emoji: "-", users: ["bob"] },
    ]);
    now = reacted(now, react(5, "ada", "+", false));
    now = reacted(now, react(6, "bob", "-", false));
    now = reacted(now, react(7, "eve", "?", false));
    expect(now.reactions).toEqual([{ emoji: "+", users: ["bob"] }]);
    expect(reacted(now, react(8, "bob", "+", false))).not.toHaveProperty("reactions");
  });
});

test("an opener counts each reply once, and names the last three who wrote", () => {
  let opener = fakeMessage(1);
  for (const [seq, userId] of [
    [2, "ada"],
    [3, "bob"],
    [3, "bob"],
    [4, "cat"],
    [5, "dan"],
    [4, "cat"],
    [6, "bob"],
  ] as const) {
    opener = replied(opener, { seq, userId });
  }
  expect(opener.replies).toEqual({ count: 5, lastSeq: 6, users: ["bob", "dan", "cat"] });
});

describe("of two copies of a message", () => {
  test("the one with the newer change counts", () => {
    const held = fakeMessage(1, { content: "new", rev: 5 });
    const page = fakeMessage(1, { content: "old", rev: 4 });
    expect(merged(held, page)).toBe(held);
    expect(merged(page, held)).toMatchObject({ content: "new", rev: 5 });
  });

  test("a page with fewer rows does not take away those that came live", () => {
    const held = fakeMessage(1, { answer: answer(3) });
    expect(merged(held, fakeMessage(1, { answer: answer(1) })).answer?.rows).toHaveLength(3);
    expect(merged(fakeMessage(1, { answer: answer(1) }), held).answer).toEqual(answer(3));
  });

  test("what was delivered stays so, and what only this browser knows stays", () => {
    const held = fakeMessage(1, {
      status: "delivered",
      hint: { code: "near_sql" },
      replies: { count: 2, lastSeq: 9, users: [] },
    });
    expect(merged(held, fakeMessage(1))).toMatchObject({
      status: "delivered",
      hint: { code: "near_sql" },
      replies: { count: 2 },
    });
  });

  test("one that was refused and is stored after all has no refusal", () => {
    const failed = { code: "internal", message: "No.", retryable: true } as const;
    const held = fakeMessage(1, { status: "error", refusal: failed });
    expect(merged(held, fakeMessage(1))).not.toHaveProperty("refusal");
  });
});

test("a deleted message is no hit any more, and an edited one shows its new text", () => {
  const hits = [1, 2].map((seq) => ({
    message: { ...fakeMessage(seq), messageId: `m${seq}`, status: "sent" as const, seq },
    snippet: "message",
    highlights: [],
  })) as never as Parameters<typeof hitsAfter>[0];
  expect(hitsAfter(hits, "m1", { isDeleted: true })).toHaveLength(1);
  expect(hitsAfter(hits, "m2", { content: "new" })[1]?.message.content).toBe("new");
  expect(hitsAfter(hits, "m3", { isDeleted: true })).toBe(hits);
});
