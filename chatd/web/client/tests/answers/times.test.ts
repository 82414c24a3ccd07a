import { describe, expect, test } from "vitest";
import { compareInstants, instantOf } from "../../src/answers/times";

const at = (text: string) => {
  const instant = instantOf(text);
  if (instant === undefined) throw new Error(`${text} is no time`);
  return instant;
};

describe("a time is understood as databases write it", () => {
  test.each<[string, string]>([
    ["2024-03", "2024-03-01T00:00:00.000Z"],
    ["2024-03-05", "2024-03-05T00:00:00.000Z"],
    ["2024-03-05 12:30", "2024-03-05T12:30:00.000Z"],
    ["2024-03-05T12:30:15Z", "2024-03-05T12:30:15.000Z"],
    ["2024-03-05 12:30:15.123456+02", "2024-03-05T10:30:15.123Z"],
    ["2024-03-05 12:30:15-05:30", "2024-03-05T18:00:15.000Z"],
    ["2024-02-29", "2024-02-29T00:00:00.000Z"],
    ["2024-Q2", "2024-04-01T00:00:00.000Z"],
    ["2024-W01", "2024-01-01T00:00:00.000Z"],
    ["2021-W01", "2021-01-04T00:00:00.000Z"],
    ["1969-12-31 23:59:59", "1969-12-31T23:59:59.000Z"],
    ["0050-01-01", "0050-01-01T00:00:00.000Z"],
  ])("%s", (text, iso) => {
    expect(new Date(at(text).ms).toISOString()).toBe(iso);
  });

  test.each([
    "",
    "2024",
    "2024-13",
    "2023-02-29",
    "2024-00-10",
    "2024-01-01 25:00",
    "2024-01-01 10:61",
    "10:30",
    "2024-W54",
    "2024-Q5",
    "1234-5678",
    "tomorrow",
    "2024-01-01".repeat(1_000),
  ])("but not %s", (text) => expect(instantOf(text)).toBeUndefined());
});

test("two times are compared to the last digit", () => {
  const earlier = at("2024-01-01 00:00:00.1234567");
  const later = at("2024-01-01 00:00:00.12345671");
  expect([compareInstants(earlier, later), compareInstants(later, earlier)]).toEqual([-1, 1]);
  expect(compareInstants(at("2024-01-01 00:00:00.5"), at("2024-01-01 00:00:00.50"))).toBe(0);
});
