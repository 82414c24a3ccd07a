import { expect, test } from "vitest";
import { folded } from "../../src/messages/folding";

const lines = (count: number) => Array.from({ length: count }, (_, at) => `line ${at + 1}`);

test.each([
  [12, false],
  [13, true],
  [80, true],
])("a block of %i lines is folded beyond 12: %s", (count, isLong) => {
  const text = lines(count).join("\n");
  const found = folded(text, 12, 10_000);
  expect(found.isLong).toBe(isLong);
  expect(found.lines).toBe(count);
  expect(found.head).toBe(lines(Math.min(count, 12)).join("\n"));
});

test("text without line ends is folded by its length, and no character is parted", () => {
  const found = folded("🙂".repeat(100), 20, 51);
  expect(found.isLong).toBe(true);
  expect(found.head).toBe("🙂".repeat(25));
});

test("text that fits is whole", () => {
  expect(folded("short", 20, 100)).toEqual({ head: "short", lines: 1, isLong: false });
});
