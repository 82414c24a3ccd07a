import { expect, test } from "vitest";
import { delayMs } from "../../src/websocket/backoff";

test.each([
  [1, 1_000],
  [2, 2_000],
  [3, 4_000],
  [4, 8_000],
  [5, 16_000],
  [6, 30_000],
  [7, 30_000],
  [1_000, 30_000],
  [0, 1_000],
])("try %i waits %i ms", (attempt, ms) => {
  expect(delayMs(attempt, 0.5)).toBe(ms);
});

test("clients spread over a fifth more and a fifth less", () => {
  expect(delayMs(3, 0)).toBe(3_200);
  expect(delayMs(3, 0.999_999)).toBe(4_800);
});

test("what was told is waited at least", () => {
  expect(delayMs(1, 0.5, 12_345)).toBe(12_345);
  expect(delayMs(6, 0.5, 100)).toBe(30_000);
});
