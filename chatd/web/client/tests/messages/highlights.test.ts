import { expect, test } from "vitest";
import { highlighted, plainText } from "../../src/messages/highlights";

const marked = (snippet: string, places: number[][]) =>
  highlighted(snippet, places)
    .map(({ text, isHit }) => (isHit ? `[${text}]` : text))
    .join("");

const cases: [snippet: string, places: number[][], shown: string][] = [
  ["late orders", [[0, 4]], "[late] orders"],
  [
    "late orders",
    [
      [0, 4],
      [5, 11],
    ],
    "[late] [orders]",
  ],
  ["🙂🙂 late", [[3, 7]], "🙂🙂 [late]"],
  ["👨‍👩‍👧 a", [[6, 7]], "👨‍👩‍👧 [a]"],
  ["late", [], "late"],
  ["late", [[2, 2]], "late"],
  ["late", [[3, 1]], "late"],
  [
    "late",
    [
      [-5, 2],
      [3, 99],
    ],
    "[la]t[e]",
  ],
  [
    "late",
    [
      [1, 3],
      [2, 4],
    ],
    "l[at][e]",
  ],
  [
    "late",
    [
      [2, 4],
      [0, 1],
    ],
    "[l]a[te]",
  ],
  ["late", [[Number.NaN, 2], [], [1.7, 2.2]], "[la]te"],
  ["", [[0, 1]], ""],
];

test.each(cases)("%j with %j", (snippet, places, shown) => {
  expect(marked(snippet, places)).toBe(shown);
});

test.each([
  ["| id | name |\n| --- | ---: |\n| 2 | Ada |", " · id · name · 2 · Ada · "],
  ["…| 7 | | orders", "… · 7 · orders"],
  ["a \\| b", "a | b"],
  ["lukasz\\.nowak1\\@example\\.com", "lukasz.nowak1@example.com"],
  ["count(\\*) of order\\_items", "count(*) of order_items"],
  ["C:\\\\temp", "C:\\temp"],
  ["--- | --- |\n| customers | 3 |", " · customers · 3 · "],
  ["…--- |\n| customers", " · customers"],
  ["no table", "no table"],
])("the cells of %j are %j", (text, shown) => expect(plainText(text)).toBe(shown));
