import { describe, expect, test } from "vitest";
import {
  CELL_CHARS,
  beginning,
  oneLine,
  piecesOf,
  prettyJson,
  readable,
  shownCell,
  wholeText,
} from "../../src/answers/values";
import type { Cell } from "../../src/websocket/types";
import { cpuMs } from "../cpu";

describe("a value is shown on one line", () => {
  test.each<[string, Cell, string]>([
    ["NULL", null, "NULL"],
    ["true as a word", true, "true"],
    ["false as a word", false, "false"],
    ["a number", 1.5, "1.5"],
    ["minus zero", -0, "-0"],
    ["a number of many digits as it was sent", "9007199254740993", "9007199254740993"],
    ["zeros at the end as they were sent", "1.50", "1.50"],
    ["an empty text", "", ""],
    ["markup as text", "<img src=x onerror=alert(1)>", "<img src=x onerror=alert(1)>"],
    ["line breaks by a sign", "a\r\nb\nc\u2028d", "a⏎b⏎c⏎d"],
    ["a tab as a space", "a\tb", "a b"],
    ["controls by their pictures", "a\u0000b\u001bc\u007f", "a␀b␛c␡"],
    ["what turns the direction by a sign", "\u202Egpj.exe", "\ufffdgpj.exe"],
    ["half a character by a sign", "a\ud800b", "a\ufffdb"],
    ["a whole character of two halves", "😀", "😀"],
    ["Hebrew as it is", "שלום", "שלום"],
    ["bytes in digits", { $bytes: "AP8=" }, "0x00ff (2 bytes)"],
    ["one byte", { $bytes: "AA==" }, "0x00 (1 byte)"],
    ["no bytes", { $bytes: "" }, "0x (0 bytes)"],
    ["what is no base64", { $bytes: "%%%" }, "(not base64) %%%"],
  ])("%s", (_, cell, text) => {
    expect(shownCell(cell)).toEqual({ text, isCut: false });
  });

  test("many bytes by the first of them, and their number", () => {
    const shown = shownCell({ $bytes: btoa("x".repeat(4_000)) });
    expect(shown).toEqual({ text: `0x${"78".repeat(16)}… (4,000 bytes)`, isCut: true });
  });

  test("a long text by its beginning", () => {
    const { text, isCut } = shownCell("x".repeat(CELL_CHARS + 1));
    expect([text.length, text.at(-1), isCut]).toEqual([CELL_CHARS + 1, "…", true]);
    expect(shownCell("x".repeat(CELL_CHARS)).isCut).toBe(false);
  });

  test("a text of a megabyte at once", () => {
    const took = cpuMs(() => {
      for (let times = 0; times < 100; times++) shownCell("\n".repeat(1_000_000));
    });
    expect(took).toBeLessThan(1_000);
  });

  test("a value that no server sends today", () => {
    expect(shownCell({ other: 1 } as unknown as Cell).text).toBe('{"other":1}');
    expect(shownCell(undefined).text).toBe("NULL");
  });
});

test("the whole of a value is copied, and nothing in it is changed", () => {
  expect(wholeText("a\u202E\n\tb")).toBe("a\u202E\n\tb");
  expect(wholeText({ $bytes: "AP8=" })).toBe("0x00ff");
  expect(wholeText({ $bytes: "%%%" })).toBe("%%%");
});

test("a beginning has no half character at its end", () => {
  expect(beginning("a😀b", 2)).toBe("a");
  expect(beginning("a😀b", 3)).toBe("a😀");
  expect(beginning("ab", 5)).toBe("ab");
});

test("a readable text keeps its lines, and shows what cannot be seen", () => {
  expect(readable("a\n\tb\u0007\u2066")).toBe("a\n\tb␇\ufffd");
  expect(oneLine("a\n\tb")).toBe("a⏎ b");
});

describe("a long text is cut into pieces", () => {
  const joined = (text: string) => piecesOf(text).join("");

  test("that hold all of it", () => {
    const text = "x".repeat(12_345);
    expect(joined(text)).toBe(text);
    expect(piecesOf(text).map((piece) => piece.length)).toEqual([5_000, 5_000, 2_345]);
  });

  test("at the ends of its lines, where it has some", () => {
    const text = Array.from({ length: 3_000 }, (_, at) => `line ${at}`).join("\n");
    const pieces = piecesOf(text);
    expect(pieces.join("\n")).toBe(text);
    expect(pieces.length).toBeGreaterThan(3);
  });

  test("and not within a character", () => {
    const text = "😀".repeat(6_000);
    expect(joined(`x${text}`)).toBe(`x${text}`);
    for (const piece of piecesOf(`x${text}`)) expect(piece).not.toMatch(/[\ud800-\udbff]$/);
  });

  test("of which a short one is one", () => {
    expect(piecesOf("")).toEqual([""]);
    expect(piecesOf("a\n")).toEqual(["a\n"]);
  });
});

describe("JSON is set in", () => {
  test("with the numbers and the order that it has", () => {
    expect(prettyJson('{"b":9007199254740993,"a":[1.50,{}],"c":[]}')).toBe(
      '{\n  "b": 9007199254740993,\n  "a": [\n    1.50,\n    {}\n  ],\n  "c": []\n}',
    );
  });

  test("with texts that look like its signs as they are", () => {
    expect(prettyJson('["a,b: {[\\"]}", " "]')).toBe('[\n  "a,b: {[\\"]}",\n  " "\n]');
  });

  test.each(["12", '"text"', "null", "{", "{'a': 1}", "[1,]", "not json", ""])(
    "but not what is no list and no object: %s",
    (text) => expect(prettyJson(text)).toBeUndefined(),
  );

  test("but not where it is as deep as no honest one is long", () => {
    const deep = "[".repeat(40_000) + "]".repeat(40_000);
    const text = prettyJson(deep);
    expect((text ?? "").length).toBeLessThan(10_000_000);
  });
});
