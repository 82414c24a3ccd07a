import { expect, test } from "vitest";
import { bestMatches } from "../../src/components/matching";

const ROOMS = ["sales", "stock", "old sales", "disguises", "Sample shop"];

test.each([
  ["", ROOMS],
  ["sa", ["sales", "Sample shop", "old sales"]],
  ["sale", ["sales", "old sales", "Sample shop"]],
  ["SHOP", ["Sample shop"]],
  ["ssh", ["Sample shop"]],
  ["xyz", []],
] as const)("%j finds, best first", (typed, found) => {
  expect(bestMatches(typed, ROOMS, (room) => room)).toEqual(found);
});
