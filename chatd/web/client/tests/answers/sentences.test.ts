import { describe, expect, test } from "vitest";
import {
  adviceText,
  cutBadge,
  cutSentences,
  deadlineText,
  filesText,
  outcomeText,
  partialText,
  phaseText,
  writtenText,
} from "../../src/answers/sentences";
import type { Answer } from "../../src/websocket/types";

function answer(over: Partial<Answer> = {}): Answer {
  return {
    state: "done",
    rowCount: 191,
    truncated: false,
    elapsedMs: 145,
    cached: false,
    columns: [{ name: "a", type: null }],
    rows: [],
    ...over,
  };
}

test("each phase has its words", () => {
  expect(phaseText("starting", 0)).toBe("Starting the database");
  expect(phaseText("queued", 0)).toBe("Waiting for a free slot");
  expect(phaseText("running", 0)).toBe("Running");
  expect(phaseText("fetching", 0)).toBe("Fetching rows");
  expect(phaseText("fetching", 1_485)).toBe("1,485 rows so far");
});

test("the end of a long answer is told after five seconds", () => {
  expect(deadlineText(4_999, 30_000)).toBe("");
  expect(deadlineText(5_000, 30_000)).toBe("ends at 30 s");
  expect(deadlineText(30_000, 30_000)).toBe("");
});

describe("each end has its words", () => {
  test.each<[Partial<Answer>, string]>([
    [{}, "191 rows"],
    [{ rowCount: 1 }, "1 row"],
    [{ rowCount: 0 }, "0 rows"],
    [{ columns: [], rowCount: 0 }, "Done"],
    [{ columns: [], rowCount: 0, rowsWritten: 3 }, "3 rows were changed"],
    [{ rowCount: 2, rowsWritten: 1 }, "2 rows, 1 row was changed"],
    [{ rowCount: 2, rowsWritten: 0 }, "2 rows"],
    [{ state: "error" }, "Failed"],
    [{ state: "cancelled", elapsedMs: 3_640 }, "Stopped after 3.6 s"],
    [{ state: "timeout", elapsedMs: 30_004 }, "Took longer than 30 s"],
    [{ state: "interrupted" }, "The server was stopped while the database answered"],
  ])("%j", (over, text) => expect(outcomeText(answer(over))).toBe(text));
});

test("rows that came before another end than done are told", () => {
  expect(partialText(answer({ state: "timeout", rowCount: 7 }))).toBe(
    "7 rows had come until then.",
  );
  expect(partialText(answer({ state: "timeout", rowCount: 0 }))).toBe("");
  expect(partialText(answer())).toBe("");
  expect(adviceText("timeout")).toBe("Ask for less: add WHERE or LIMIT.");
  expect(writtenText(undefined)).toBe("");
});

describe("what is cut is said in words", () => {
  test.each<[Partial<Answer>, string[], string]>([
    [{}, [], ""],
    [
      { truncated: true, cut: { rows: "max_rows" }, rowCount: 1_000 },
      ["Cut after 1,000 rows, the most that one answer shows; there are more in the database."],
      "first 1,000 only",
    ],
    [
      { truncated: true, cut: { rows: "max_bytes" }, rowCount: 12 },
      ["Cut after 12 rows, as many bytes as fit; there are more in the database."],
      "first 12 only",
    ],
    [
      { truncated: true, cut: { rows: "large_value" }, rowCount: 1 },
      ["Cut after 1 row: a value in the next row is too large to be handed out."],
      "first 1 only",
    ],
    [
      { truncated: true, cut: { rows: "database" }, rowCount: 5 },
      ["Cut after 5 rows by the database’s server; there are more in the database."],
      "first 5 only",
    ],
    [
      { truncated: true, rowCount: 5 },
      ["Cut after 5 rows by the database’s server; there are more in the database."],
      "first 5 only",
    ],
    [{ truncated: true, cut: { values: 1 } }, ["1 value is shortened to fit."], ""],
    [
      { truncated: true, cut: { values: 2, names: 1 } },
      ["2 values are shortened to fit.", "Names or types of 1 column are shortened."],
      "",
    ],
  ])("%j", (over, sentences, badge) => {
    expect(cutSentences(answer(over))).toEqual(sentences);
    expect(cutBadge(answer(over))).toBe(badge);
  });
});

test.each<[Partial<Answer>, string]>([
  [{}, ""],
  [{ truncated: true, cut: { values: 1 } }, ""],
  [{ truncated: true, cut: { rows: "max_rows" }, state: "timeout" }, ""],
  [{ truncated: true, cut: { rows: "large_value" } }, "Files hold the same rows."],
  [
    { truncated: true, cut: { rows: "max_rows" } },
    "Files hold the same rows, or more if this server allows it.",
  ],
])("what files hold of a cut answer is said: %j", (over, sentence) => {
  expect(filesText(answer(over))).toBe(sentence);
});
