import { expect, test } from "vitest";
import { kept, movedCursor, type Cursor } from "../../src/answers/gridKeys";

const size = { rows: 100, columns: 5, page: 10 };

test.each<[string, Cursor, string, boolean, Cursor | undefined]>([
  ["down", { row: 0, column: 0 }, "ArrowDown", false, { row: 1, column: 0 }],
  ["up to the head", { row: 0, column: 2 }, "ArrowUp", false, { row: -1, column: 2 }],
  ["no further than the head", { row: -1, column: 2 }, "ArrowUp", false, { row: -1, column: 2 }],
  [
    "no further than the last row",
    { row: 99, column: 0 },
    "ArrowDown",
    false,
    { row: 99, column: 0 },
  ],
  ["to the last row", { row: 5, column: 1 }, "ArrowDown", true, { row: 99, column: 1 }],
  ["to the first row", { row: 5, column: 1 }, "ArrowUp", true, { row: 0, column: 1 }],
  ["right", { row: 5, column: 1 }, "ArrowRight", false, { row: 5, column: 2 }],
  ["no further right", { row: 5, column: 4 }, "ArrowRight", false, { row: 5, column: 4 }],
  ["no further left", { row: 5, column: 0 }, "ArrowLeft", false, { row: 5, column: 0 }],
  ["to the begin of the row", { row: 5, column: 3 }, "Home", false, { row: 5, column: 0 }],
  ["to the end of the row", { row: 5, column: 3 }, "End", false, { row: 5, column: 4 }],
  ["to the begin", { row: 5, column: 3 }, "Home", true, { row: 0, column: 0 }],
  ["to the end", { row: 5, column: 3 }, "End", true, { row: 99, column: 4 }],
  ["a page down", { row: 95, column: 3 }, "PageDown", false, { row: 99, column: 3 }],
  ["a page up", { row: 5, column: 3 }, "PageUp", false, { row: 0, column: 3 }],
  ["nowhere", { row: 5, column: 3 }, "j", false, undefined],
])("the cursor goes %s", (_, cursor, key, isControl, moved) => {
  expect(movedCursor(cursor, key, isControl, size)).toEqual(moved);
});

test("the cursor stays in a table that has become smaller", () => {
  expect(kept({ row: 50, column: 9 }, { rows: 3, columns: 2 })).toEqual({ row: 2, column: 1 });
  expect(kept({ row: 0, column: 0 }, { rows: 0, columns: 0 })).toEqual({ row: -1, column: 0 });
});
