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

/** The same as `texts`, and at even distances. */
function expectEven(labels: ChartLayout["labels"], texts: string[]): void {
  expect(labels.map(({ text }) => text)).toEqual(texts);
  const gaps = labels.slice(1).map(({ at }, before) => at - (labels[before]?.at ?? 0));
  expect(Math.max(...gaps) / Math.min(...gaps)).toBeLessThan(1.15);
}

/** Orders of some hours apart, from a day on. */
const orders = (n: number, hours: (at: number) => number): Row[] =>
  Array.from({ length: n }, (_, at) => [
    new Date(Date.UTC(2024, 10, 1, 17, 25, 33) + hours(at) * 3_600_000)
      .toISOString()
      .replace("T", " ")
      .slice(0, 19),
    at,
  ]);
const anyhow = (scale: number) => (at: number) => scale * (at + (at % 7) / 7);

describe("the labels of times", () => {
  test("are round moments at even distances where points are anyhow apart", () => {
    expectEven(laidOut(orders(300, anyhow(26)), 870).labels, [
      "2024-12",
      "2025-01",
      "2025-02",
      "2025-03",
      "2025-04",
      "2025-05",
      "2025-06",
      "2025-07",
      "2025-08",
      "2025-09",
    ]);
    expectEven(laidOut(orders(300, anyhow(26)), 300).labels, ["2025-01", "2025-04", "2025-07"]);
    expectEven(laidOut(orders(100, anyhow(3)), 300).labels, ["2024-11-04", "2024-11-11"]);
    expectEven(laidOut(orders(100, anyhow(0.05)), 300).labels, [
      "18:00",
      "19:00",
      "20:00",
      "21:00",
      "22:00",
    ]);
  });

  test("are as in their zone", () => {
    const rows = orders(100, anyhow(0.05)).map(([time, n]) => [`${time}+02`, n] as Row);
    expect(laidOut(rows, 300).labels[0]?.text).toBe("18:00");
  });

  test("are the day alone where that tells them apart, and whole where it does not", () => {
    const daily = laidOut(
      orders(5, (at) => at * 24),
      500,
    );
    expectEven(daily.labels, [
      "2024-11-01",
      "2024-11-02",
      "2024-11-03",
      "2024-11-04",
      "2024-11-05",
    ]);
    const hourly = laidOut(
      orders(3, (at) => at),
      500,
    );
    expectEven(hourly.labels, ["2024-11-01 17:25", "2024-11-01 18:25", "2024-11-01 19:25"]);
    const close = laidOut(
      orders(3, (at) => at / 3_600),
      600,
    );
    expect(close.labels[0]?.text).toBe("2024-11-01 17:25:33");
  });

  test("leave out what is nothing in all of them", () => {
    const rows: Row[] = [2020, 2021, 2022].map((year) => [`${year}-01-01T00:00:00Z`, year]);
    expectEven(laidOut(rows, 400).labels, ["2020", "2021", "2022"]);
    const of = [3, 4, 5].map((month): Row => [`2024-0${month}-01`, month]);
    expectEven(laidOut(of, 400, { mark: "bar" }).labels, ["2024-03", "2024-04", "2024-05"]);
  });

  test("of months are theirs, each n-th", () => {
    const { labels } = laidOut(months(24), 320);
    expectEven(labels, ["2000-01", "2000-07", "2001-01", "2001-07"]);
  });
});

test("numbers below bars are at even distances, from 0 on", () => {
  const rows: Row[] = Array.from({ length: 10 }, (_, at) => [`a customer ${at}`, 2_780 + at * 150]);
  expectEven(laidOut(rows, 330).ticks, ["0", "2,000", "4,000"]);
});

test("a label is cut to its room", () => {
  expect(cutLabel("short", 200)).toBe("short");
  expect(cutLabel("x".repeat(500), 100).length).toBeLessThan(20);
  expect(cutLabel("😀😀😀😀", 1)).toBe("😀…");
});

test("the value behind a bar has the digits that were sent, or is rounded where they are many", () => {
  expect(barText({ label: "", value: 9000.5, shown: "9000.50" })).toBe("9,000.50");
  expect(barText({ label: "", value: 12, shown: "0012" })).toBe("0012");
  expect(barText({ label: "", value: 1286.2142857, shown: "1286.2142857" })).toBe("1,286.2");
  expect(barText({ label: "", value: 9.007e15, shown: "9007199254740993" })).toBe("9007T");
});
