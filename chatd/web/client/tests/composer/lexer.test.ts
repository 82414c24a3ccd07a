import { describe, expect, test } from "vitest";
import { lexed } from "../../src/composer/lexer";
import type { Dialect } from "../../src/composer/names";
import { cpuMs } from "../cpu";

function said(sql: string, dialect: Dialect = "sqlite"): string[] {
  return lexed(sql, dialect).map(
    ({ kind, text, isClosed }) => `${kind} ${text}${isClosed ? "" : " …"}`,
  );
}

describe("tokens of SQL", () => {
  test.each<[string, string[], Dialect?]>([
    ["SELECT a.b", ["word SELECT", "word a", "sign .", "word b"]],
    ["'it''s' x", ["string 'it''s'", "word x"]],
    ["'open x", ["string 'open x …"]],
    ["'a''", ["string 'a'' …"]],
    ['"My ""T" x', ['quoted "My ""T"', "word x"]],
    ['"My ta', ['quoted "My ta …']],
    ["[My T] [op", ["quoted [My T]", "quoted [op …"]],
    ["[a]", ["sign [", "word a", "sign ]"], "postgres"],
    ["-- c\nx", ["comment -- c …", "word x"]],
    ["/* a */ x /* b", ["comment /* a */", "word x", "comment /* b …"]],
    ["1.5e3 x1", ["number 1.5e3", "word x1"]],
    ["$$ a 'b' $$ x", ["string $$ a 'b' $$", "word x"], "postgres"],
    ["$t$ $$ $t$ x", ["string $t$ $$ $t$", "word x"], "postgres"],
    ["$t$ open", ["string $t$ open …"], "postgres"],
    ["E'a\\'b' x", ["string E'a\\'b'", "word x"], "postgres"],
    ["'a\\' x", ["string 'a\\'", "word x"]],
    ["'a\\' x'", ["string 'a\\' x'"], "mysql"],
    ['"text" `name`', ['string "text"', "quoted `name`"], "mysql"],
    ["# c\nx", ["comment # c …", "word x"], "mysql"],
    ["größe", ["word größe"]],
    ["", []],
  ])("%j", (sql, tokens, dialect) => expect(said(sql, dialect)).toEqual(tokens));

  test.each<Dialect>(["sqlite", "postgres", "mysql"])("of %s stand where they say", (dialect) => {
    const sql =
      "WITH a AS (SELECT 'x''' || \"y\"\"\" FROM `t` -- c\n) /* d */ SELECT $$e$$ [f]; ' \" ` ";
    for (const { text, from, to } of lexed(sql, dialect)) expect(sql.slice(from, to)).toBe(text);
  });

  test.each([
    "'".repeat(20_000),
    '"a'.repeat(10_000),
    "/*".repeat(10_000),
    "$a$".repeat(7_000),
    "$a$ $b$ ".repeat(3_000),
    "[".repeat(20_000),
    "(".repeat(20_000),
  ])("do not take long, whatever the text: %#", (text) => {
    const took = cpuMs(() => {
      for (const dialect of ["sqlite", "postgres", "mysql"] as const) lexed(text, dialect);
    });
    expect(took).toBeLessThan(1_000);
  });
});
