import { expect, test } from "vitest";
import { USUAL_TYPE, fits, measuredType, textPx, widthsOf } from "../../src/answers/widths";
import type { Row } from "../../src/websocket/types";
import { cpuMs } from "../cpu";

const columns = (...names: string[]) => names.map((name) => ({ name, type: null }));

test("a column has room for its name and its values", () => {
  const rows: Row[] = [["a", "a somewhat longer value"]];
  const [short = 0, long = 0] = widthsOf(columns("id", "b"), rows, 1, []);
  expect(short).toBeLessThan(long);
  expect(fits("a somewhat longer value", long)).toBe(true);
});

test("a long text does not make its column wider than a reader wants", () => {
  const rows: Row[] = [["x".repeat(1_000_000), 1, 1, 1]];
  const [width] = widthsOf(columns("a", "b", "c", "d"), rows, 1, []);
  expect(width).toBe(320);
});

test("a number is shown whole", () => {
  const digits = "-12345678901234567890123456789012345678.99";
  const rows: Row[] = [[digits, 1, 1, 1]];
  const [width = 0] = widthsOf(columns("a", "b", "c", "d"), rows, 1, ["number"]);
  expect(fits(digits, width)).toBe(true);
});

test("the last rows count, too", () => {
  const rows: Row[] = Array.from({ length: 1_000 }, (_, at) => [at < 500 ? "x" : "a longer value"]);
  expect(fits("a longer value", widthsOf(columns("a"), rows, 1_000, [])[0] ?? 0)).toBe(true);
  expect(fits("a longer value", widthsOf(columns("a"), rows, 500, [])[0] ?? 0)).toBe(false);
});

test("a thousand columns cost no more than ten", () => {
  const names = Array.from({ length: 1_000 }, (_, at) => `column ${at}`);
  const rows: Row[] = Array.from({ length: 1_000 }, () => names);
  expect(cpuMs(() => widthsOf(columns(...names), rows, 1_000, []))).toBeLessThan(500);
});

test.each(["Gadget 1", "WWWWWWWWWW", '{"a": 10}', "iiii", "MMM mmm", "%%@@"])(
  "a short value has room where its type is measured: %s",
  (text) => {
    const type = measuredType(measured);
    const [width = 0] = widthsOf(columns("w"), [[text]], 1, [], type);
    expect(width - 21).toBeGreaterThanOrEqual(measured(text));
    expect(fits(text, width, type)).toBe(true);
  },
);

test("what is a little too wide for its column has a sign", () => {
  const type = measuredType(measured);
  const width = 21 + measured("Gadget 1");
  expect(fits("Gadget 1", Math.floor(width), type)).toBe(false);
});

test("beside bytes that are cut there is room for the sign", () => {
  const long = { $bytes: btoa("x".repeat(17)) };
  const short = { $bytes: btoa("x".repeat(16)) };
  const type = measuredType((text) => text.length);
  const [wide = 0] = widthsOf(columns("b"), [[long]], 1, [], type);
  const [narrow = 0] = widthsOf(columns("b"), [[short]], 1, [], type);
  expect(wide).toBeGreaterThan(narrow + 19);
});

test("signs of East Asia take twice the room", () => {
  expect(textPx("東京")).toBeGreaterThan(1.5 * textPx("ab"));
});

/** A type whose capitals are three times as wide as its narrowest letters. */
function measured(text: string): number {
  return Array.from(text, (char) =>
    /[MWm%@]/.test(char) ? 12.9 : /[ijl1]/.test(char) ? 4.1 : 8,
  ).reduce((sum, width) => sum + width, 0);
}

test("the reader's type counts where it can be measured", () => {
  const type = measuredType((text) => text.length * 5);
  expect(textPx("aMi0", type)).toBe(20);
  expect(measuredType(() => 0)).toBe(USUAL_TYPE);
  expect(measuredType(() => NaN)).toBe(USUAL_TYPE);
});
