import { describe, expect, test } from "vitest";
import { correctionsOf, hintCorrection, placeOf } from "../../src/answers/corrections";
import { cpuMs } from "../cpu";

/** The word of the statement at the place that the message names. */
function wordAt(message: string, statement: string): string | undefined {
  const place = placeOf(message, statement);
  return place && statement.slice(place.from, place.to);
}

describe("the place of an error is found in the statement", () => {
  test.each<[string, string, string | undefined]>([
    ["FORM (line 1, column 10) is not understood", "SELECT * FORM t", "FORM"],
    ["x (line 3, column 1) is not", "SELECT *\nFROM t\nWHRE a", "WHRE"],
    ["x (line 2, column 3) is not", "SELECT 1\r\n, =2", "="],
    ["x (line 1, column 11) is not", "SELECT '😀', x1 FROM t", ","],
    ["x (line 1, column 8) is not", 'SELECT "My ""col" FROM t', '"My ""col"'],
    ["The ( at line 1, column 7 is not closed; close it.", "SELECT(1", "("],
    ["x (line 9, column 1) is not", "SELECT 1", undefined],
    ["x (line 1, column 99) is not", "SELECT 1", undefined],
    ["x (line 0, column 0) is not", "SELECT 1", undefined],
    ["something else", "SELECT 1", undefined],
    ["SELEC (line 1, column 1) begins no statement", "/sql SELEC x", "SELEC"],
    ["FORM (line 2, column 1) is not understood", " /explain:  SELECT 1\nFORM t", "FORM"],
    ["SELEC (line 1, column 1) begins no statement", "/sql\n```sql\nSELEC x\n```", "SELEC"],
    ["SELEC (line 1, column 1) begins no statement", "```sql\nSELEC x\n```", "SELEC"],
  ])("%s", (message, statement, word) => expect(wordAt(message, statement)).toBe(word));
});

describe("the word that a hint has instead is put into the message", () => {
  test.each<[string, string, string | undefined]>([
    ["SELEC is no word of SQL; did you mean SELECT?", "selec * FROM a", "SELECT * FROM a"],
    ["There is no /tabels; did you mean /tables? /help says more.", "/tabels", "/tables"],
    ["There is no /desc; did you mean /describe TABLE?", "/desc orders", "/describe orders"],
    ["There is no /frob. /help says what can be asked.", "/frob", undefined],
    ["This was taken as talk. Send it with /sql to run it.", "select one", undefined],
    ["SELEC is no word of SQL; did you mean SELECT?", "edited meanwhile", undefined],
  ])("%s", (hint, text, meant) => expect(hintCorrection(hint, text)?.statement).toBe(meant));
});

describe("what may have been meant is put into the statement", () => {
  test.each<[string, string, string[]]>([
    [
      "FORM (line 1, column 10) is not understood as SQLite; did you mean FROM?",
      "SELECT * FORM products",
      ["SELECT * FROM products"],
    ],
    ["SELEC (line 1, column 1) begins no statement; did you mean SELECT?", "SELEC 1", ["SELECT 1"]],
    [
      "no such table: ordrs; did you mean orders?",
      "SELECT ordrs.id FROM ordrs -- ordrs\nWHERE x = 'ordrs'",
      ["SELECT orders.id FROM orders -- ordrs\nWHERE x = 'ordrs'"],
    ],
    [
      "SELEC (line 1, column 1) begins no statement; did you mean SELECT?",
      "/sql SELEC 1",
      ["/sql SELECT 1"],
    ],
    [
      "no such column: o.nme; did you mean name or names?",
      "SELECT o.nme FROM orders o",
      ["SELECT o.name FROM orders o", "SELECT o.names FROM orders o"],
    ],
    [
      'relation "ordrs" does not exist (line 1, at ordrs); did you mean orders, "My orders" or x?',
      'SELECT * FROM "ordrs"',
      ["SELECT * FROM orders", 'SELECT * FROM "My orders"', "SELECT * FROM x"],
    ],
    [
      "There is no table orderz here; did you mean sales.orders?",
      "/describe orderz",
      ["/describe sales.orders"],
    ],
    [
      'The database says: relation "sales.orderz" does not exist; did you mean sales.orders?',
      "SELECT * FROM sales.orderz",
      ["SELECT * FROM sales.orders"],
    ],
    [
      "no such table: ordrs; did you mean $& or $1?",
      "SELECT * FROM ordrs",
      ["SELECT * FROM $&", "SELECT * FROM $1"],
    ],
    [
      "There is no function lenght; did you mean length?",
      "SELECT lenght(a), 'lenght' FROM t",
      ["SELECT length(a), 'lenght' FROM t"],
    ],
    ["no such table: ordrs; did you mean orders?", "SELECT 1", []],
    ["no such table: ordrs.", "SELECT * FROM ordrs", []],
    ["did you mean x?", "SELECT 1", []],
    ["x; did you mean y?", "SELECT 1", []],
  ])("%s", (message, statement, statements) => {
    expect(correctionsOf(message, statement).map((one) => one.statement)).toEqual(statements);
  });

  test("no more than three names are offered", () => {
    const message = "no such table: t; did you mean a, b, c, d or e?";
    expect(correctionsOf(message, "SELECT * FROM t")).toHaveLength(3);
  });

  test("a message made to hold up the page does not", () => {
    const hostile = `no such table: ${"a ".repeat(50_000)}; did you mean ${"b or ".repeat(190)}?`;
    const took = cpuMs(() => {
      correctionsOf(hostile, "x ".repeat(5_000));
      correctionsOf(`${"; did you mean ".repeat(20_000)}?`, "x");
    });
    expect(took).toBeLessThan(1_000);
  });
});
