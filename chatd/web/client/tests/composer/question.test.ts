import { describe, expect, test } from "vitest";
import { commandsOf } from "../../src/composer/commands";
import { contextOptions } from "../../src/composer/contextOptions";
import { inserted } from "../../src/composer/inserting";
import {
  contextOf,
  TABLES_MAX,
  UNCHANGED,
  withoutSchema,
  withoutTable,
  withSchema,
  withTable,
  type Question,
} from "../../src/composer/question";
import type { RoomDatabase } from "../../src/websocket/wire.gen";

const DATABASE: RoomDatabase = { kind: "sqlite", readOnly: false, dryRun: true, commands: [] };

describe("the context of a question", () => {
  test.each<[string, Partial<Question>, Partial<RoomDatabase>, unknown]>([
    ["nothing where nothing differs", {}, {}, undefined],
    ["that it may write", { readOnly: false }, {}, { config: { readOnly: false } }],
    ["that only its plan is wanted", { dryRun: true }, {}, { config: { dryRun: true } }],
    ["no writing where nothing may be written", { readOnly: false }, { readOnly: true }, undefined],
    ["no plan where there is none", { dryRun: true }, { dryRun: false }, undefined],
    [
      "its tables and its schema",
      { tables: ["a"], schema: "s" },
      {},
      { tables: ["a"], schema: "s" },
    ],
  ])("says %s", (_, question, database, context) => {
    expect(contextOf({ ...UNCHANGED, ...question }, { ...DATABASE, ...database })).toEqual(context);
  });

  test("is none in a room without a database", () => {
    expect(contextOf({ ...UNCHANGED, readOnly: false, tables: ["a"] }, undefined)).toBeUndefined();
  });

  test("names each table once, and can do without it again", () => {
    const one = withTable(UNCHANGED, "a") as Question;
    expect(withTable(one, "a")).toBe(one);
    expect(withoutTable(one, "a").tables).toEqual([]);
    const narrowed = withSchema(one, "s") as Question;
    expect(withoutSchema(narrowed)).toEqual(one);
  });

  test("is bounded as the server bounds it, in words", () => {
    const tables = Array.from({ length: TABLES_MAX }, (_, at) => `t${at}`);
    const full = { ...UNCHANGED, tables };
    expect(withTable(full, "one more")).toBe("A question can name 100 tables at most.");
    expect(withTable(UNCHANGED, "ü".repeat(8_200))).toBe(
      "These names are too long for one question.",
    );
    expect(withSchema(UNCHANGED, "x".repeat(17_000))).toMatch(/too long/);
  });
});

describe("what a question can be narrowed to", () => {
  const tables = [
    { name: "orders", schema: "public", kind: "table", columns: [] },
    { name: "Old", schema: "archive", kind: "view", columns: [] },
  ];

  test("are the tables and schemas that are known", () => {
    expect(contextOptions("", tables, "postgres").map(({ kind, name }) => [kind, name])).toEqual([
      ["table", "orders"],
      ["table", 'archive."Old"'],
      ["schema", "public"],
      ["schema", "archive"],
    ]);
  });

  test("is what was typed, too, unless it is known", () => {
    const typed = contextOptions("orders", tables, "postgres");
    expect(typed.map(({ kind, name }) => [kind, name])).toEqual([
      ["table", "orders"],
      ["schema", "orders"],
    ]);
  });
});

describe("commands", () => {
  const help = [{ name: "/describe", argument: "TABLE", purpose: "shows" }];
  const server = { version: "1", features: [], commands: help };

  test("are those of the room, as the server explains them", () => {
    const database = { ...DATABASE, commands: ["/describe", "/new"] };
    expect(commandsOf(server, database)).toEqual([
      ...help,
      { name: "/new", argument: null, purpose: "" },
    ]);
  });

  test("are none without a database, and none where an older server names none", () => {
    expect(commandsOf(server, undefined)).toEqual([]);
    expect(commandsOf(undefined, DATABASE)).toEqual([]);
  });
});

test.each([
  ["SELECT ", "name", "name"],
  ["SELECT a", "name", " name"],
  ['SELECT "a"', '"b"', ' "b"'],
  ["SELECT o.", "name", "name"],
  ["count(", "name", "name"],
  ["", "name", "name"],
  ["a", "", ""],
])("behind %j the name %j is inserted as %j", (before, name, text) => {
  expect(inserted(before, before.length, name)).toBe(text);
});
