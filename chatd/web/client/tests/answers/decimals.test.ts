import { describe, expect, test } from "vitest";
import { compareNumbers, isDecimal, isNumeric } from "../../src/answers/decimals";

describe("numbers are compared by all of their digits", () => {
  test.each<[number | string, number | string]>([
    ["9", "10"],
    [9, "10"],
    ["-10", "-9"],
    ["-1", "1"],
    ["0", "0.0001"],
    ["-0.0001", 0],
    ["9007199254740992", "9007199254740993"],
    ["-9007199254740993", "-9007199254740992"],
    ["0.1", "0.10000000000000000001"],
    ["1e3", "1001"],
    ["9.9e-7", 0.000001],
    ["1e999999", "1e1000000"],
    ["-1e1000000", "-1e999999"],
    [1, 2],
    ["-Infinity", "-1e308"],
    ["1e308", "Infinity"],
    ["infinity", "NaN"],
    [5, "NaN"],
  ])("%s is less than %s", (a, b) => {
    expect(compareNumbers(a, b)).toBe(-1);
    expect(compareNumbers(b, a)).toBe(1);
  });

  test.each<[number | string, number | string]>([
    ["1.0", "1"],
    ["1.50", 1.5],
    ["-0", 0],
    ["0e9", "0"],
    ["1e2", "100"],
    ["+7", "7"],
    ["0010", "10"],
    [".5", "0.5"],
    ["NaN", "nan"],
    ["Infinity", "inf"],
  ])("%s equals %s", (a, b) => {
    expect(compareNumbers(a, b) + 0).toBe(0);
  });

  test("a number of thousands of digits costs nothing", () => {
    const digits = "9".repeat(9_000);
    expect(compareNumbers(digits, `${digits}.1`)).toBe(-1);
  });
});

test.each(["", " ", "-", ".", "1.2.3", "1e", "0x10", "1,000", "constructor", "__proto__", "①"])(
  "%o is no number",
  (text) => expect([isDecimal(text), isNumeric(text)]).toEqual([false, false]),
);
