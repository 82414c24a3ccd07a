import { describe, expect, test } from "vitest";
import { lexed } from "../../src/composer/lexer";
import { expectsTable, scopeOf, statementAt, type Scope } from "../../src/composer/scope";

function scopeIn(sql: string, place: number): Scope {
  return scopeOf(statementAt(lexed(sql, "sqlite"), place));
}

describe("what a statement names", () => {
  test.each([
    ["SELECT 1 FROM orders", ["orders"]],
    ["SELECT 1 FROM orders o", ["orders:o"]],
    [
      "SELECT 1 FROM orders AS o JOIN customers c ON c.id = o.customer_id",
      ["orders:o", "customers:c"],
    ],
    ["SELECT 1 FROM orders, customers AS c WHERE x", ["orders", "customers:c"]],
    ['SELECT 1 FROM shop."My Orders" m', ["shop.My Orders:m"]],
    ["SELECT 1 FROM orders LEFT JOIN items ON true", ["orders", "items"]],
    ["UPDATE orders SET status = 'x'", ["orders"]],
    ["INSERT INTO orders (id) VALUES (1)", ["orders"]],
    ["DELETE FROM orders WHERE id = 1", ["orders"]],
    ["SELECT (SELECT max(id) FROM items i) FROM orders o", ["items:i", "orders:o"]],
    ["SELECT 1 FROM orders o, ", ["orders:o"]],
    ["SELECT 1 FROM ", []],
    ["SELECT 'FROM x' -- FROM y", []],
    ["SELECT extract(year FROM placed_at) FROM orders", ["placed_at", "orders"]],
  ])("%s", (sql, tables) => {
    const named = scopeIn(sql, 0).tables.map(({ path, alias }) =>
      alias === undefined ? path.join(".") : `${path.join(".")}:${alias}`,
    );
    expect(named).toEqual(tables);
  });

  test("names of WITH, and of queries in FROM, are its own", () => {
    const sql = "WITH a AS (SELECT 1), b (x, y) AS (SELECT 2) SELECT 1 FROM (SELECT 3) AS c JOIN a";
    const scope = scopeIn(sql, sql.length);
    expect(scope.own).toEqual(["a", "b", "c"]);
    expect(scope.tables).toEqual([{ path: ["a"] }]);
  });

  test("only the statement counts in which the cursor is", () => {
    const sql = "SELECT 1 FROM a; SELECT 2 FROM b ; SELECT 3 FROM c";
    const tablesAt = (place: number) => scopeIn(sql, place).tables.map(({ path }) => path[0]);
    expect(tablesAt(3)).toEqual(["a"]);
    expect(tablesAt(20)).toEqual(["b"]);
    expect(tablesAt(sql.length)).toEqual(["c"]);
  });

  test.each([
    ["SELECT ", false],
    ["SELECT a FROM ", true],
    ["SELECT a FROM b ", false],
    ["SELECT a FROM b, ", true],
    ["SELECT a FROM b WHERE c IN (d, ", false],
    ["SELECT a FROM b JOIN ", true],
    ["SELECT a FROM b JOIN c ON ", false],
    ["SELECT a FROM b WHERE c, ", false],
    ["INSERT INTO ", true],
    ["INSERT INTO a (", false],
    ["UPDATE ", true],
    ["SELECT (SELECT 1 FROM ", true],
    ["SELECT (SELECT 1 FROM a) FROM b ORDER BY c, ", false],
  ])("behind %j a table is expected: %s", (sql, expected) => {
    expect(expectsTable(statementAt(lexed(sql, "sqlite"), sql.length))).toBe(expected);
  });
});
