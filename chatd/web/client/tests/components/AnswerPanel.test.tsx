import { act } from "react";
import { afterEach, expect, test, vi } from "vitest";
import { AnswerPanel } from "../../src/components/AnswerPanel";
import { fakeChat } from "../fakes";
import { answered, names, question, show, type Shown } from "./cards";

let shown: Shown | undefined;
afterEach(async () => {
  await shown?.close();
  shown = undefined;
});

const answer = answered({ columns: [{ name: "n", type: null }], rows: [[1]] });

test("the panel shows the whole of an answer", async () => {
  const chat = fakeChat([question("SELECT 1"), answer]);
  shown = await show(chat, <AnswerPanel answerId={answer.messageId} />);
  expect(shown.page.querySelector(".answer.is-whole .answer-scroll.is-whole")).not.toBeNull();
  expect(names(shown.page)).not.toContain("Open in panel");
  expect(chat.store.getState().fetchAnswer).not.toHaveBeenCalled();
});

test("the panel reads rows that the room's copy leaves out", async () => {
  const part = answered({
    columns: [{ name: "n", type: null }],
    rows: [],
    rowCount: 1,
    rowsOmitted: 1,
  });
  const chat = fakeChat([part]);
  shown = await show(chat, <AnswerPanel answerId={part.messageId} />);
  expect(chat.store.getState().fetchAnswer).toHaveBeenCalledExactlyOnceWith(part.messageId, "demo");
});

test("the panel reads an answer that is not held, and says where it is not there", async () => {
  let found = () => {};
  const fetchAnswer = vi.fn(() => new Promise<void>((resolve) => (found = resolve)));
  shown = await show(fakeChat([], { fetchAnswer }), <AnswerPanel answerId="gone" />);
  expect(shown.page.textContent).toBe("Reading the answer…");
  await act(async () => found());
  expect(shown.page.textContent).toBe("This answer is not there any more.");
  expect(fetchAnswer).toHaveBeenCalledTimes(1);
});
