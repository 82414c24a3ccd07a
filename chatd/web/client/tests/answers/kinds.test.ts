import { describe, expect, test } from "vitest";
import { kindOf, kindsOf, type ColumnKind } from "../../src/answers/kinds";
import type { Cell } from "../../src/websocket/types";

describe("what a column holds", () => {
  test.each<[string | null, Cell[], ColumnKind]>([
    ["INTEGER", [1, 2], "number"],
    ["INTEGER", ["9007199254740993"], "number"],
    ["INTEGER", [], "number"],
    ["DECIMAL(10,2)", ["1.50", "NaN"], "number"],
    ["double precision", [1.5], "number"],
    ["unsigned big int", ["1"], "number"],
    ["INTEGER", ["much"], "text"],
    ["INTEGER", [1, "much"], "mixed"],
    ["TEXT", ["01234", "10115"], "text"],
    ["TEXT", ["1.5", "2.5"], "text"],
    ["TEXT", [1, 2], "number"],
    ["TEXT", [1, "2"], "mixed"],
    ["interval", ["01:00:00"], "text"],
    ["int4range", ["[1,2)"], "text"],
    ["point", ["(1,2)"], "text"],
    ["integer[]", ["{1,2}"], "text"],
    ["BOOLEAN", [true, false], "boolean"],
    ["BOOLEAN", [0, 1], "number"],
    ["bytea", [{ $bytes: "" }], "bytes"],
    ["jsonb", ['{"a":1}'], "json"],
    ["timestamp with time zone", ["2024-01-01 10:00:00+00"], "time"],
    ["date", ["infinity"], "text"],
    ["TEXT", ["2024-01", "2024-02"], "time"],
    [null, [1, 2.5], "number"],
    [null, [1, "9007199254740993"], "number"],
    [null, ["12.50", "3"], "number"],
    [null, ["12345678901234567890"], "number"],
    [null, ["123", "456"], "text"],
    [null, ["01.5", "2.5"], "text"],
    [null, ["constructor", "__proto__"], "text"],
    [null, [true, 1], "mixed"],
    [null, [], "empty"],
    ["no such type", [], "empty"],
  ])("%s with %j", (type, values, kind) => {
    expect(kindOf(type, values)).toBe(kind);
  });

  test("is told by values that are not NULL, and by the first fifty of them", () => {
    const rows = Array.from({ length: 200 }, (_, at) => [at < 20 ? null : at < 80 ? at : "late"]);
    expect(kindsOf([{ name: "n", type: null }], rows)).toEqual(["number"]);
  });

  test("is told by the rows that count alone", () => {
    const rows = [[1], ["not yet"]];
    expect(kindsOf([{ name: "n", type: null }], rows, 1)).toEqual(["number"]);
  });

  test("is empty where rows are shorter than the columns", () => {
    expect(
      kindsOf(
        [
          { name: "a", type: null },
          { name: "a", type: null },
        ],
        [[1]],
      ),
    ).toEqual(["number", "empty"]);
  });
});
