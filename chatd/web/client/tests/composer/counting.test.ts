import { describe, expect, test } from "vitest";
import { codePoints, isBlank, lengthOf } from "../../src/composer/counting";

describe("the length of a message", () => {
  test.each([
    ["", 0],
    ["abc", 3],
    ["a😀b", 3],
    ["😀😀", 2],
    ["\ud83d", 1],
    ["\ude00\ud83d", 2],
    ["\ud83d\ud83d\ude00", 2],
    ["e\u0301", 2],
  ])("counts code points, also where half of a pair stands alone: %j", (text, count) => {
    expect(codePoints(text)).toBe(count);
    expect([...text]).toHaveLength(count);
  });

  test("is shown from four fifths of the limit on; white space around it counts as nothing", () => {
    const padded = " ".repeat(50) + "a".repeat(79);
    expect(lengthOf(padded, 100)).toEqual({ count: 79, isNear: false, over: 0 });
    expect(lengthOf("a".repeat(80), 100)).toEqual({ count: 80, isNear: true, over: 0 });
    expect(lengthOf("😀".repeat(100), 100)).toEqual({ count: 100, isNear: true, over: 0 });
    expect(lengthOf("a".repeat(103), 100)).toEqual({ count: 103, isNear: true, over: 3 });
  });

  test("has no limit before the server has said one", () => {
    expect(lengthOf("a".repeat(100_000), undefined)).toMatchObject({ isNear: false, over: 0 });
  });

  test.each([" \n\t", "\u200b\u200d", "\u0301", "\u3164", "\u2800 ", ""])("%j is blank", (text) => {
    expect(isBlank(text)).toBe(true);
  });

  test.each(["a", " . ", "e\u0301", "😀"])("%j is not blank", (text) => {
    expect(isBlank(text)).toBe(false);
  });
});
