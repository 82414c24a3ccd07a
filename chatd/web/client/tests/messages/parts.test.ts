import { expect, test } from "vitest";
import { lineOf, partsOf, type Part } from "../../src/messages/parts";

const cases: [content: string, parts: [Part["kind"], string][]][] = [
  ["hello", [["text", "hello"]]],
  ["SELECT 1", [["sql", "SELECT 1"]]],
  ["```sql\nx\n```", [["sql", "x"]]],
  ["```\nSELECT 1\n```", [["sql", "SELECT 1"]]],
  ["```\nplain\n\ncode\n```", [["code", "plain\n\ncode"]]],
  ["```python\nSELECT 1\n```", [["code", "SELECT 1"]]],
  ["```SELECT 1```", [["sql", "SELECT 1"]]],
  [
    "look:\n\n```sql\nSELECT 1\n```\n\nis it right?",
    [
      ["text", "look:"],
      ["sql", "SELECT 1"],
      ["text", "is it right?"],
    ],
  ],
  ["```sql\nnever ends", [["sql", "never ends"]]],
  ["inside a ``` line", [["text", "inside a ``` line"]]],
  ["```", [["code", ""]]],
];

test.each(cases)("%j has its parts", (content, parts) => {
  expect(partsOf(content).map(({ kind, text }) => [kind, text])).toEqual(parts);
});

test("a message of very many blocks has a bounded number of parts", () => {
  const content = "a\n```\nb\n```\n".repeat(3_000);
  expect(partsOf(content).length).toBeLessThan(100);
});

test.each([
  ["two\n words  here -- and a dash", "two words here -- and a dash"],
  ["SELECT a -- the key\nFROM t", "SELECT a FROM t"],
  ["SELECT 'a  -- b\nc' /* d */\n  FROM t", "SELECT 'a  -- b\nc' FROM t"],
  ["```sql\nSELECT 1 -- one\n  + 2\n```", "SELECT 1 + 2"],
  ["Look:\n```\nx = 1\ny\n```\nNice.", "Look: x = 1 y Nice."],
  ["", ""],
])("stands on one line: %j", (content, line) => {
  expect(lineOf(content)).toBe(line);
});

test("of a question leaves out comments of what is nearly SQL", () => {
  expect(lineOf("VACUUM -- now\n t", true)).toBe("VACUUM t");
});
