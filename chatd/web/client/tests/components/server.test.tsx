// @vitest-environment node
import { renderToString } from "react-dom/server";
import { expect, test } from "vitest";
import { AnswerCard } from "../../src/components/AnswerCard";
import { AnswerPanel } from "../../src/components/AnswerPanel";
import { cardStatesOf } from "../../src/answers/cardStates";
import { ChatProvider } from "../../src/hooks/useChat";
import type { ChatMessage } from "../../src/websocket/types";
import { doneAnswer, runningAnswer } from "../answerFakes";
import { fakeChat, fakeMessage } from "../fakes";

const question = fakeMessage(1, { content: "SELECT 1" });
const columns = [
  { name: "month", type: null },
  { name: "n", type: null },
];
const rows = Array.from({ length: 100 }, (_, at) => [`word ${at}`, at]);

function rendered(message: ChatMessage, tab?: "chart"): string {
  const chat = fakeChat([question, message]);
  chat.answers.put(runningAnswer({ phase: "fetching", columns, rows, rowCount: 100 }));
  if (tab !== undefined) cardStatesOf(chat).set(message.messageId, { tab });
  return renderToString(
    <ChatProvider chat={chat}>
      <AnswerCard message={message} />
      <AnswerPanel answerId={message.messageId} />
    </ChatProvider>,
  );
}

test("answers are rendered where there is no browser", () => {
  expect(typeof document).toBe("undefined");
  const done = fakeMessage(2, {
    replyTo: question.messageId,
    answer: doneAnswer({ columns, rows }),
  });
  const { seq: _, answer: __, ...running } = done;
  expect(rendered(done)).toContain("word 0");
  expect(rendered(done, "chart")).toContain("Loading the chart…");
  expect(rendered({ ...running, content: "" })).toContain("100 rows so far");
});
