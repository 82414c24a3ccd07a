import { expect, test } from "vitest";
import { announcementOf, newMessages } from "../../src/hooks/useAnnouncer";
import { fakeMessage, fakeState, fakeView } from "../fakes";
import type { ChatMessage } from "../../src/websocket/types";

function stateOf(messages: readonly ChatMessage[], over = {}) {
  return fakeState({
    messages: new Map(messages.map((message) => [message.messageId, message])),
    views: new Map([["demo", fakeView(messages)]]),
    ...over,
  });
}

const first = fakeMessage(1);
const second = fakeMessage(2);

test("a live message of somebody else is new", () => {
  expect(newMessages(stateOf([first, second]), stateOf([first]))).toEqual([second]);
});

test("the first page, older pages, own messages and another room are not", () => {
  const unready = fakeState({ views: new Map([["demo", fakeView([], { isReady: false })]]) });
  expect(newMessages(stateOf([first, second]), unready)).toEqual([]);
  expect(newMessages(stateOf([first, second]), stateOf([second]))).toEqual([]);
  const own = fakeMessage(2, { userId: "ada" });
  expect(newMessages(stateOf([first, own]), stateOf([first]))).toEqual([]);
  expect(newMessages(stateOf([first, second]), stateOf([first], { room: "other" }))).toEqual([]);
});

test("few messages are read out, many are counted", () => {
  const state = stateOf([first, second]);
  expect(announcementOf([first, second], state)).toBe("Bob: message 1. Bob: message 2.");
  expect(
    announcementOf(
      [1, 2, 3, 4].map((seq) => fakeMessage(seq)),
      state,
    ),
  ).toBe("4 new messages");
});

test("an answer is told by its end", () => {
  const question = fakeMessage(1, { userId: "ada", content: "SELECT 1" });
  const answer = fakeMessage(2, {
    userId: "db:demo",
    replyTo: question.messageId,
    answer: {
      state: "done",
      rowCount: 1,
      truncated: false,
      elapsedMs: 12,
      cached: false,
      columns: [],
      rows: [],
    },
  });
  expect(announcementOf([answer], stateOf([question, answer]))).toBe(
    "Answer to SELECT 1: 1 row in 12 ms.",
  );
});
