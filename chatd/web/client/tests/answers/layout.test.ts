import { describe, expect, test } from "vitest";
import { chartData, chartPlan } from "../../src/answers/chartable";
import { barText, cutLabel, layoutOf, type ChartLayout } from "../../src/answers/layout";
import { textPx } from "../../src/answers/widths";
import type { Row } from "../../src/websocket/types";

const columns = [
  { name: "a", type: null },
  { name: "n", type: null },
];

function laidOut(rows: Row[], width: number, choice = {}): ChartLayout {
  const plan = chartPlan(columns, rows, choice);
  if (plan === undefined) throw new Error("This is not drawn.");
  return layoutOf(plan.spec, chartData(plan.spec, rows).points, width);
}

const words = (n: number): Row[] => Array.from({ length: n }, (_, at) => [`word ${at}`, at - 2]);
const months = (n: number): Row[] =>
  Array.from({ length: n }, (_, at) => [
    `${2000 + Math.floor(at / 12)}-${String((at % 12) + 1).padStart(2, "0")}`,
    at,
  ]);

describe("everything lies inside of the chart", () => {
  test.each<[string, Row[], number]>([
    ["few bars", words(5), 600],
    ["many bars", words(500), 600],
    ["a narrow chart", words(5), 200],
    ["a line", months(24), 320],
    ["a long line", months(500), 320],
    [
      "long labels",
      [
        ["x".repeat(500), 1],
        ["y".repeat(500), 2],
      ],
      300,
    ],
    [
      "negative values",
      [
        ["a", -5],
        ["b", -1],
      ],
      300,
    ],
    [
      "equal values",
      [
        ["a", 5],
        ["b", 5],
      ],
      300,
    ],
  ])("%s", (_, rows, width) => {
    const { plot, marks, labels, lies, height } = laidOut(rows, width);
    expect(plot.left).toBeLessThan(plot.right);
    for (const mark of marks) {
      expect(mark.x).toBeGreaterThanOrEqual(0);
      expect(mark.x + mark.width).toBeLessThanOrEqual(width);
      expect(mark.y).toBeGreaterThanOrEqual(0);
      expect(mark.y + mark.height).toBeLessThanOrEqual(height);
      expect(mark.width).toBeGreaterThanOrEqual(0);
    }
    for (const { at, text } of labels) {
      const half = lies ? 0 : (textPx(text) * 0.85) / 2;
      expect(at - half).toBeGreaterThanOrEqual(0);
      expect(at + half).toBeLessThanOrEqual(lies ? height : width);
    }
  });
});

test("labels of an axis do not touch", () => {
  for (const rows of [months(24), months(100), words(12)]) {
    const { labels, lies } = laidOut(rows, 320, { mark: "line" });
    expect(lies).toBe(false);
    expect(labels.length).toBeGreaterThan(1);
    labels.slice(1).forEach((label, before) => {
      const left = labels[before] ?? label;
      const room = ((textPx(left.text) + textPx(label.text)) * 0.85) / 2;
      expect(label.at - left.at).toBeGreaterThan(room);
    });
  }
});

test("a line stands in time: a month that is missing leaves its room", () => {
  const { marks } = laidOut(
    [
      ["2024-01", 1],
      ["2024-02", 1],
      ["2024-04", 1],
    ],
    600,
  );
  const [first, second, third] = marks.map((mark) => mark.x) as [number, number, number];
  expect((third - second) / (second - first)).toBeCloseTo(60 / 31, 1);
});

test("bars begin at zero, on both sides of it", () => {
  const { marks, zero } = laidOut(
    [
      ["a", -5],
      ["b", 5],
    ],
    300,
  );
  const [below, above] = marks;
  expect(below?.y).toBeCloseTo(zero);
  expect((above?.y ?? 0) + (above?.height ?? 0)).toBeCloseTo(zero);
});

test("a label is cut to its room", () => {
  expect(cutLabel("short", 200)).toBe("short");
  expect(cutLabel("x".repeat(500), 100).length).toBeLessThan(20);
  expect(cutLabel("😀😀😀😀", 1)).toBe("😀…");
});

test("the value behind a bar is the one that was sent, or rounded where that is long", () => {
  expect(barText({ label: "", value: 9000.5, shown: "9000.5" })).toBe("9000.5");
  expect(barText({ label: "", value: 1286.2142857, shown: "1286.2142857" })).toBe("1,286.2");
  expect(barText({ label: "", value: 9.007e15, shown: "9007199254740993" })).toBe("9007T");
});
