import { describe, expect, test } from "vitest";
import { looksLikeSql, tokensOf, type TokenKind } from "../src/sql";
import { cpuMs } from "./cpu";

describe("the pieces of a statement", () => {
  const cases: [sql: string, kind: TokenKind, pieces: string[]][] = [
    ["SELECT a FROM b", "word", ["SELECT", "FROM"]],
    ["select 'it''s', x", "text", ["'it''s'"]],
    ["select 'never ends", "text", ["'never ends"]],
    ["select $$a 'b' c$$, $x$d$$e$x$", "text", ["$$a 'b' c$$", "$x$d$$e$x$"]],
    ["select $$never ends", "text", ["$$never ends"]],
    ['select "a""b", `c d`', "name", ['"a""b"', "`c d`"]],
    ["select 12, 1.5e3, 0x1f", "number", ["12", "1.5e3", "0x1f"]],
    ["a -- b 'c'\nd /* e\nf */ g /* h", "comment", ["-- b 'c'", "/* e\nf */", "/* h"]],
    ["select größe, selector, from_x", "word", ["select"]],
    ["'--' /* ' */", "text", ["'--'"]],
  ];
  test.each(cases)("%j has these of kind %s", (sql, kind, pieces) => {
    const found = tokensOf(sql).filter((token) => token.kind === kind);
    expect(found.map((token) => token.text)).toEqual(pieces);
  });

  const hostile = [
    "'".repeat(20_000),
    "/*".repeat(20_000),
    "$a$".repeat(9_999),
    Array.from({ length: 9_000 }, (_, at) => `$t${at}$`).join(""),
    "1 a ".repeat(9_000),
    "1".repeat(40_000) + "x",
    `"${"a".repeat(40_000)}`,
    "🙂".repeat(9_000) + "\u202E\u0000",
  ];
  test.each(hostile.map((text, at) => [at, text] as const))(
    "hostile text %i is told whole, and at once",
    (_, text) => {
      expect(cpuMs(() => tokensOf(text))).toBeLessThan(500);
      const tokens = tokensOf(text);
      expect(tokens.map((token) => token.text).join("")).toBe(text);
      expect(tokens.length).toBeLessThanOrEqual(2_001);
    },
  );
});

describe("what looks like SQL", () => {
  test.each([
    "SELECT 1",
    "select * from orders",
    "select name, count(*) from customers group by name",
    "select name from customers",
    "  -- the best\n/* of all */ (SELECT a FROM b)",
    "WITH best AS (SELECT 1) SELECT * FROM best",
    "with recursive n(i) as (select 1) select i from n",
    "INSERT INTO a VALUES (1)",
    "update orders set status = 'paid'",
    "delete from orders where id = 3",
    "CREATE TABLE a (b INTEGER)",
    "drop table orders",
    "EXPLAIN QUERY PLAN SELECT 1",
    "pragma table_info(orders)",
    "/sql select 1",
    "/explain select 1",
    "SELECT the, a FROM b WHERE c = 'please'",
    "SELECT status, count(*) AS orders FROM orders GROUP BY status",
  ])("%j does", (text) => expect(looksLikeSql(text)).toBe(true));

  test.each([
    "",
    "hello",
    "select a room from the list please",
    "Select your seats from the menu",
    "with love from Bob",
    "update me when you can",
    "delete that from the list",
    "create a table for me",
    "drop it",
    "show me the orders",
    "explain this to me",
    "values matter",
    "/tables",
    "selector * from x",
    "constructor (x)",
    "WITH LOVE FROM BOB",
  ])("%j does not", (text) => expect(looksLikeSql(text)).toBe(false));

  test.each([
    "(".repeat(50_000),
    "/*".repeat(50_000),
    `select ${"a ".repeat(50_000)}`,
    `with ${"(".repeat(50_000)}`,
    `insert ${" ".repeat(50_000)}`,
    `create ${"temp".repeat(50_000)}`,
  ])("hostile text is guessed at once", (text) => {
    expect(cpuMs(() => looksLikeSql(text))).toBeLessThan(200);
  });
});
