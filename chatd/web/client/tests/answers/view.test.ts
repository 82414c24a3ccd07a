import { describe, expect, test } from "vitest";
import { askedText, heldOf, modesOf, viewOf } from "../../src/answers/view";
import type { Answer } from "../../src/websocket/types";
import { fakeMessage } from "../fakes";
import { doneAnswer, runningAnswer } from "../answerFakes";

const placeholder = () => {
  const { seq: _, ...message } = fakeMessage(2, { userId: "db:demo", content: "" });
  return message;
};

describe("what a card shows", () => {
  test("is the message that holds the answer, once it has come", () => {
    const message = fakeMessage(2, { answer: doneAnswer() });
    expect(viewOf(message, runningAnswer())).toEqual({ kind: "ended", answer: message.answer });
  });

  test("is the answer under way before that", () => {
    const view = viewOf(placeholder(), runningAnswer({ phase: "queued" }));
    expect(view).toMatchObject({ kind: "running", phase: "queued" });
  });

  test("is how it has ended, with the rows that came, until its message has come", () => {
    const end = {
      messageId: "a",
      replyTo: "q",
      connectionId: "demo",
      state: "done" as const,
      rowCount: 1,
      truncated: false,
      elapsedMs: 5,
      cached: false,
      remark: "NULL equals nothing.",
    };
    const live = runningAnswer({
      phase: "ended",
      end,
      columns: [{ name: "n", type: null }],
      rows: [[1]],
      rowCount: 1,
    });
    const view = viewOf(placeholder(), live);
    const { state, remark } = end;
    expect(view).toMatchObject({ kind: "ended", answer: { state, remark, rows: [[1]] } });
    expect(heldOf(view).rowCount).toBe(1);
  });

  test("is nothing where an answer was begun and is not known any more", () => {
    expect(viewOf(placeholder(), undefined)).toEqual({ kind: "gone" });
  });

  test("is text where a message of a database is no answer", () => {
    expect(viewOf(fakeMessage(2, { content: "hello" }), undefined)).toEqual({
      kind: "text",
      text: "hello",
    });
    expect(viewOf(fakeMessage(2, { content: "", error: "It is damaged." }), undefined)).toEqual({
      kind: "text",
      text: "It is damaged.",
    });
  });
});

describe("what is asked again", () => {
  const answer: Answer = doneAnswer({ statement: "SELECT 1" });
  test.each<
    [string, Answer | undefined, Parameters<typeof fakeMessage>[1] | undefined, string | undefined]
  >([
    ["the statement", answer, { content: "this: ```sql\nSELECT 1\n```" }, "SELECT 1"],
    [
      "what was written, markup and all",
      doneAnswer(),
      { content: "'< b>'", raw: "'<b>'" },
      "'<b>'",
    ],
    ["a command, with its name", answer, { content: "/explain SELECT 1" }, "/explain SELECT 1"],
    ["what shows a plan", answer, { content: "EXPLAIN SELECT 1" }, "EXPLAIN SELECT 1"],
    ["a command of another tool", doneAnswer(), { content: "\\d orders" }, "\\d orders"],
    [
      "the statement of a question that was edited",
      answer,
      { content: "/tables", editedAt: 1 },
      "SELECT 1",
    ],
    [
      "the statement of a question that was deleted",
      answer,
      { content: "", deletedAt: 1 },
      "SELECT 1",
    ],
    ["the statement of a question that is not held", answer, undefined, "SELECT 1"],
    ["the question, while it is under way", undefined, { content: "SELECT 2" }, "SELECT 2"],
    ["nothing, where nothing is known", undefined, undefined, undefined],
  ])("%s", (_, of, question, text) => {
    expect(askedText(of, question && fakeMessage(1, question))).toBe(text);
  });
});

test("a plan and a write are known from the question, and from the answer under way", () => {
  const plan = fakeMessage(1, { context: { config: { dryRun: true } } });
  const write = fakeMessage(1, { context: { config: { readOnly: false } } });
  const explain = fakeMessage(1, { content: " /EXPLAIN SELECT 1" });
  expect(modesOf(plan, undefined)).toEqual({ isPlan: true, mayWrite: false });
  expect(modesOf(write, undefined)).toEqual({ isPlan: false, mayWrite: true });
  expect(modesOf(write, undefined, true).mayWrite).toBe(false);
  expect(modesOf(explain, undefined).isPlan).toBe(true);
  expect(modesOf(undefined, undefined)).toEqual({ isPlan: false, mayWrite: false });
  expect(modesOf(write, runningAnswer({ readOnly: true })).mayWrite).toBe(false);
});
