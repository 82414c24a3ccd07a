import { describe, expect, test } from "vitest";
import {
  BARS_MAX,
  CHART_ROWS_MAX,
  chartData,
  chartPlan,
  readChartSpec,
  type ChartSpec,
} from "../../src/answers/chartable";
import type { Row } from "../../src/websocket/types";

const columns = (...names: string[]) => names.map((name) => ({ name, type: null }));
const counted = (n: number, label: (at: number) => Row[number]): Row[] =>
  Array.from({ length: n }, (_, at) => [label(at), at]);

/** How a table is drawn, in short. */
function drawn(names: string[], rows: Row[], choice = {}) {
  const spec = chartPlan(columns(...names), rows, choice)?.spec;
  if (spec === undefined) return undefined;
  const { x, y } = spec.encoding;
  return `${spec.mark} x=${x.field} ${x.type} y=${y.field} ${y.type}`;
}

describe("how a table is drawn", () => {
  test.each<[string, string[], Row[], string | undefined]>([
    [
      "few short words",
      ["a", "n"],
      [
        ["x", 1],
        ["y", 2],
      ],
      "bar x=0 nominal y=1 quantitative",
    ],
    [
      "long words, as bars that lie",
      ["a", "n"],
      [
        ["Priya Lovelace", 1],
        ["Ada Hopper", 2],
      ],
      "bar x=1 quantitative y=0 nominal",
    ],
    [
      "the number first",
      ["n", "a"],
      [
        [1, "x"],
        [2, "y"],
      ],
      "bar x=1 nominal y=0 quantitative",
    ],
    [
      "times, as a line",
      ["t", "n"],
      [
        ["2024-01", 1],
        ["2024-02", 2],
      ],
      "line x=0 temporal y=1 quantitative",
    ],
    [
      "two numbers",
      ["hour", "n"],
      [
        [0, 5],
        [1, 6],
      ],
      "bar x=0 ordinal y=1 quantitative",
    ],
    [
      "decimals as text",
      ["a", "n"],
      [
        ["x", "1.5"],
        ["y", "2.5"],
      ],
      "bar x=0 nominal y=1 quantitative",
    ],
    [
      "a key is not the value",
      ["id", "city", "total"],
      [
        [1, "x", 5],
        [2, "y", 6],
      ],
      "bar x=1 nominal y=2 quantitative",
    ],
    ["one row", ["a", "n"], [["x", 1]], undefined],
    [
      "no numbers",
      ["a", "b"],
      [
        ["x", "y"],
        ["x", "y"],
      ],
      undefined,
    ],
    ["one column", ["n"], [[1], [2]], undefined],
    ["no columns", [], [[], []], undefined],
    [
      "NULL alone",
      ["a", "n"],
      [
        ["x", null],
        ["y", null],
      ],
      undefined,
    ],
    [
      "one value among NULLs",
      ["a", "n"],
      [
        ["x", 1],
        ["y", null],
      ],
      undefined,
    ],
    [
      "bytes for labels",
      ["b", "n"],
      [
        [{ $bytes: "" }, 1],
        [{ $bytes: "" }, 2],
      ],
      undefined,
    ],
  ])("%s", (_, names, rows, shown) => expect(drawn(names, rows)).toBe(shown));

  test("many numbers side by side are a line, many words are bars that lie", () => {
    expect(
      drawn(
        ["a", "n"],
        counted(BARS_MAX + 1, (at) => at),
      ),
    ).toContain("line");
    expect(
      drawn(
        ["a", "n"],
        counted(BARS_MAX + 1, (at) => `w${at}`),
      ),
    ).toContain("bar x=1 quantitative");
  });

  test("up to five hundred rows", () => {
    expect(drawn(["a", "n"], counted(CHART_ROWS_MAX, String))).toBeDefined();
    expect(drawn(["a", "n"], counted(CHART_ROWS_MAX + 1, String))).toBeUndefined();
  });

  test("as the reader chooses, where that can be drawn", () => {
    const rows: Row[] = [
      ["x", 1, 3],
      ["y", 2, 4],
    ];
    expect(drawn(["a", "n", "m"], rows, { value: 2, mark: "line" })).toBe(
      "line x=0 nominal y=2 quantitative",
    );
    expect(drawn(["a", "n", "m"], rows, { value: 0 })).toBe("bar x=0 nominal y=1 quantitative");
    expect(drawn(["a", "n", "m"], rows, { label: 1 })).toBe("bar x=1 ordinal y=2 quantitative");
  });
});

describe("what is drawn", () => {
  const spec = (type: "nominal" | "temporal"): ChartSpec => ({
    mark: "line",
    encoding: { x: { field: 0, type }, y: { field: 1, type: "quantitative" } },
  });

  test("values are told exactly, and rows without one are counted", () => {
    const rows: Row[] = [
      ["a", "9007199254740993"],
      ["b", null],
      ["c", "NaN"],
      ["d", "1e400"],
      [null, -1.5],
      ["", 0],
    ];
    const { points, empty, odd } = chartData(spec("nominal"), rows);
    expect(points.map((point) => [point.label, point.shown])).toEqual([
      ["a", "9007199254740993"],
      ["NULL", "-1.5"],
      ["(empty)", "0"],
    ]);
    expect([empty, odd]).toEqual([1, 2]);
  });

  test("times stand in their order", () => {
    const rows: Row[] = [
      ["2024-02", 2],
      ["2024-01", 1],
      [null, 3],
    ];
    const { points, odd } = chartData(spec("temporal"), rows);
    expect(points.map((point) => point.value)).toEqual([1, 2]);
    expect(odd).toBe(1);
  });

  test("a label is one line of bounded length", () => {
    const { points } = chartData(spec("nominal"), [["x\n".repeat(1_000), 1]]);
    expect(points[0]?.label.length).toBeLessThanOrEqual(80);
    expect(points[0]?.label).not.toContain("\n");
  });
});

describe("a chart from elsewhere is held to what is drawn", () => {
  const x = { field: 0, type: "nominal" };
  const y = { field: 1, type: "quantitative" };

  test("and taken where it says nothing else", () => {
    const spec = { mark: "bar", encoding: { x, y } };
    expect(readChartSpec(spec, 2)).toEqual(spec);
    expect(readChartSpec({ mark: "bar", encoding: { x: y, y: x } }, 2)).toBeDefined();
  });

  test.each<[string, unknown]>([
    ["nothing", undefined],
    ["null", null],
    ["a text", "bar"],
    ["a list", []],
    ["another mark", { mark: "area", encoding: { x, y } }],
    ["an unknown key", { mark: "bar", encoding: { x, y }, transform: [] }],
    ["a channel more", { mark: "bar", encoding: { x, y, color: x } }],
    ["a channel less", { mark: "bar", encoding: { x } }],
    ["the name of a column", { mark: "bar", encoding: { x: { ...x, field: "a" }, y } }],
    ["a column that is not there", { mark: "bar", encoding: { x: { ...x, field: 2 }, y } }],
    ["a column below 0", { mark: "bar", encoding: { x: { ...x, field: -1 }, y } }],
    ["half a column", { mark: "bar", encoding: { x: { ...x, field: 0.5 }, y } }],
    ["the same column twice", { mark: "bar", encoding: { x: { ...x, field: 1 }, y } }],
    ["no value", { mark: "bar", encoding: { x, y: { ...y, type: "nominal" } } }],
    ["two values", { mark: "bar", encoding: { x: { ...x, type: "quantitative" }, y } }],
    ["a line that lies", { mark: "line", encoding: { x: y, y: x } }],
    ["an aggregate", { mark: "bar", encoding: { x, y: { ...y, aggregate: "sum" } } }],
    ["a prototype", Object.create({ mark: "bar", encoding: { x, y } })],
  ])("but not %s", (_, spec) => expect(readChartSpec(spec, 2)).toBeUndefined());
});
