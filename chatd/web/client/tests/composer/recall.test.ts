import { describe, expect, test } from "vitest";
import {
  begin,
  found,
  FOUND_MAX,
  newer,
  older,
  ownTexts,
  recalled,
  RECALLED_MAX,
} from "../../src/composer/recall";
import { fakeMessage } from "../fakes";

describe("recalling", () => {
  test("gives the user's own texts as they were written, newest first, each once", () => {
    const messages = [
      fakeMessage(1, { userId: "ada", content: "one" }),
      fakeMessage(2, { content: "of Bob" }),
      fakeMessage(3, { userId: "ada", content: "a &lt; b", raw: "a < b" }),
      undefined,
      fakeMessage(4, { userId: "ada", content: "one" }),
      fakeMessage(5, { userId: "ada", content: "", deletedAt: 1 }),
    ];
    expect(ownTexts(messages, "ada")).toEqual(["one", "a < b"]);
    expect(ownTexts(messages, undefined)).toEqual([]);
  });

  test("is bounded", () => {
    const messages = Array.from({ length: RECALLED_MAX + 9 }, (_, at) =>
      fakeMessage(at, { userId: "ada" }),
    );
    expect(ownTexts(messages, "ada")).toHaveLength(RECALLED_MAX);
  });

  test("goes back to the oldest and forth to what stood in the box", () => {
    const first = begin(["new", "old"], "");
    if (first === undefined) throw new Error("There is one.");
    expect(recalled(first)).toBe("new");
    expect(recalled(older(first))).toBe("old");
    expect(recalled(older(older(first)))).toBe("old");
    expect(newer(older(first))).toEqual(first);
    expect(newer(first)).toBeUndefined();
    expect(begin([], "")).toBeUndefined();
  });

  test("searches for all words, in any order and case", () => {
    const texts = ["SELECT name FROM customers", "SELECT 1", "hello"];
    expect(found(texts, "customers select")).toEqual([texts[0]]);
    expect(found(texts, " ")).toEqual(texts);
    expect(found(texts, "nothing")).toEqual([]);
    expect(
      found(
        Array.from({ length: 90 }, (_, at) => `t${at}`),
        "t",
      ),
    ).toHaveLength(FOUND_MAX);
  });
});
