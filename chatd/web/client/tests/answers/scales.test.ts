import { describe, expect, test } from "vitest";
import { fraction, labelStep, scaleFor, tickTexts } from "../../src/answers/scales";

describe("ticks are round", () => {
  test.each<[number[], boolean, number[]]>([
    [[0, 100], true, [0, 50, 100]],
    [[3, 7], true, [0, 2, 4, 6, 8]],
    [[-5, 5], true, [-5, 0, 5]],
    [[-8, -2], true, [-8, -6, -4, -2, 0]],
    [[0.1, 0.3], true, [0, 0.1, 0.2, 0.3]],
    [[1000, 1010], false, [1000, 1005, 1010]],
    [[1000, 1010], true, [0, 500, 1000, 1500]],
    [[5], true, [0, 2, 4, 6]],
    [[0], true, [0, 0.5, 1]],
    [[], true, [0, 0.5, 1]],
  ])("%j", (values, withZero, ticks) => {
    expect(scaleFor(values, 4, withZero).ticks).toEqual(ticks);
  });

  test.each([
    [[1e300, -1e300]],
    [[1e-300, 2e-300]],
    [[5e-324]],
    [[Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER + 2]],
    [[1e16, 1e16 + 2]],
  ])("and few, whatever the values are: %j", (values) => {
    const { ticks, low, high } = scaleFor(values, 4, false);
    expect(ticks.length).toBeLessThanOrEqual(50);
    expect(low).toBeLessThanOrEqual(high);
    for (const value of values) {
      const part = fraction({ ticks, low, high }, value);
      expect(part >= 0 && part <= 1).toBe(true);
    }
  });
});

test.each<[number[], string[]]>([
  [
    [0, 0.5, 1],
    ["0", "0.5", "1"],
  ],
  [
    [0.2, 0.30000000000000004],
    ["0.2", "0.3"],
  ],
  [
    [0, 500, 1_000],
    ["0", "500", "1,000"],
  ],
  [
    [0, 5_000, 10_000, 15_000],
    ["0", "5K", "10K", "15K"],
  ],
  [
    [-20_000, -10_000, 0],
    ["-20K", "-10K", "0"],
  ],
  [
    [1_000_000, 1_500_000],
    ["1M", "1.5M"],
  ],
  [
    [0, 5e14, 1e15],
    ["0", "5e+14", "1e+15"],
  ],
  [
    [1e-7, 1.5e-7],
    ["1e-7", "1.5e-7"],
  ],
])("the ticks %j are %j: one form at an axis", (ticks, texts) => {
  expect(tickTexts(ticks)).toEqual(texts);
});

test("labels are left out rather than written over each other", () => {
  expect(labelStep(40, 60)).toBe(1);
  expect(labelStep(60, 20)).toBe(4);
  expect(labelStep(60, 0)).toBeGreaterThan(1);
});
