import { describe, expect, test } from "vitest";
import { dialectOf, unquoted, written, writtenTable, type Dialect } from "../../src/composer/names";
import type { RoomDatabase } from "../../src/websocket/wire.gen";

describe("names in a statement", () => {
  test.each<[string, Dialect, string]>([
    ["orders", "sqlite", "orders"],
    ["Orders", "sqlite", "Orders"],
    ["Orders", "postgres", '"Orders"'],
    ["Orders", "mysql", "Orders"],
    ["Order Items", "sqlite", '"Order Items"'],
    ["Order Items", "mysql", "`Order Items`"],
    ['a"b', "postgres", '"a""b"'],
    ["a`b", "mysql", "`a``b`"],
    ["order", "sqlite", '"order"'],
    ["user", "postgres", '"user"'],
    ["1st", "sqlite", '"1st"'],
    ["größe", "postgres", '"größe"'],
    ["", "sqlite", '""'],
  ])("%s is written for %s as %s", (name, dialect, text) => {
    expect(written(name, dialect)).toBe(text);
    expect(unquoted(text)).toBe(name);
  });

  test("a table is named with its schema, unless that is the one that is meant anyway", () => {
    const table = { name: "orders", kind: "table", columns: [] };
    expect(writtenTable(table, "postgres")).toBe("orders");
    expect(writtenTable({ ...table, schema: "public" }, "postgres")).toBe("orders");
    expect(writtenTable({ ...table, schema: "My Shop" }, "postgres")).toBe('"My Shop".orders');
    expect(writtenTable({ ...table, schema: "public" }, "mysql")).toBe("public.orders");
  });

  test.each([
    ['"My Ta', "My Ta"],
    ["[My Table]", "My Table"],
    ['"a""', 'a"'],
    ["plain", "plain"],
    ["", ""],
  ])("%s says %s", (text, name) => expect(unquoted(text)).toBe(name));

  test("the dialect is what the database says, or its kind, or the plainest", () => {
    const database: RoomDatabase = { kind: "mcp", readOnly: true, dryRun: true, commands: [] };
    expect(dialectOf({ ...database, dialect: "mysql" })).toBe("mysql");
    expect(dialectOf({ ...database, kind: "postgres" })).toBe("postgres");
    expect(dialectOf({ ...database, dialect: "duckdb" })).toBe("sqlite");
    expect(dialectOf(database)).toBe("sqlite");
    expect(dialectOf(undefined)).toBe("sqlite");
  });
});
