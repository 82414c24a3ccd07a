import { describe, expect, test } from "vitest";
import { kindOf } from "../../src/answers/kinds";
import { nextSort, sortedOrder } from "../../src/answers/sorting";
import type { Cell } from "../../src/websocket/types";

/** The values of a column in an order. */
function sorted(values: Cell[], direction: "ascending" | "descending", type: string | null = null) {
  const kind = kindOf(
    type,
    values.filter((value) => value !== null),
  );
  const rows = values.map((value) => [value]);
  const order = sortedOrder(rows, { column: 0, direction }, kind) ?? [];
  return order.map((at) => values[at]);
}

describe("rows are sorted by a column", () => {
  test.each<[string, Cell[], Cell[]]>([
    ["numbers by their size", [10, 9, -1], [-1, 9, 10]],
    [
      "long numbers by each digit",
      ["9007199254740993", 10, "9007199254740992"],
      [10, "9007199254740992", "9007199254740993"],
    ],
    ["decimals by their size", ["10.5", "9.75", "-1.1"], ["-1.1", "9.75", "10.5"]],
    ["NULL last", [2, null, 1], [1, 2, null]],
    [
      "texts as people do",
      ["part 10", "Part 9", "älter", "zebra"],
      ["älter", "Part 9", "part 10", "zebra"],
    ],
    ["booleans, false first", [true, false], [false, true]],
    ["months", ["2024-10", "2024-09"], ["2024-09", "2024-10"]],
    [
      "times across their zones",
      ["2024-01-01 10:00:00+00", "2024-01-01 10:30:00+02"],
      ["2024-01-01 10:30:00+02", "2024-01-01 10:00:00+00"],
    ],
    ["several kinds by their kind", ["b", 2, "a", 1, null], [1, 2, "a", "b", null]],
    [
      "bytes by their digits",
      [{ $bytes: "/w==" }, { $bytes: "AA==" }],
      [{ $bytes: "AA==" }, { $bytes: "/w==" }],
    ],
  ])("%s", (_, values, ascending) => {
    expect(sorted(values, "ascending")).toEqual(ascending);
  });

  test("NULL stays last when the order is turned", () => {
    expect(sorted([1, null, 2], "descending")).toEqual([2, 1, null]);
  });

  test("numbers in a column of another type are sorted as numbers", () => {
    expect(sorted(["10", "9", "100"], "ascending", "INTEGER")).toEqual(["9", "10", "100"]);
  });

  test("equal values keep their order in both directions", () => {
    const rows = [
      ["b", 1],
      ["a", 1],
      ["c", 1],
    ];
    for (const direction of ["ascending", "descending"] as const) {
      expect(sortedOrder(rows, { column: 1, direction }, "number")).toEqual([0, 1, 2]);
    }
  });

  test("a column that is not there changes nothing", () => {
    expect(sortedOrder([[1], [2]], { column: 7, direction: "ascending" }, undefined)).toEqual([
      0, 1,
    ]);
  });
});

test("a third click brings the order back in which the rows came", () => {
  const first = nextSort(undefined, 2);
  const second = nextSort(first, 2);
  expect([first?.direction, second?.direction, nextSort(second, 2)]).toEqual([
    "ascending",
    "descending",
    undefined,
  ]);
  expect(nextSort(second, 0)).toEqual({ column: 0, direction: "ascending" });
  expect(sortedOrder([[1]], undefined, "number")).toBeUndefined();
});
