import { act } from "react";
import { expect, test, vi } from "vitest";
import { RowBoundary } from "../../src/components/RowBoundary";
import { useChatStore } from "../../src/hooks/useChat";
import { fakeChat, fakeMessage } from "../fakes";
import { draw } from "./rendering";

function Fragile() {
  const message = useChatStore((state) => state.messages.get(fakeMessage(1).messageId));
  if (message?.content.includes("bad") === true) throw new Error("cannot draw this");
  return <b>{message?.content}</b>;
}

function Row() {
  const message = useChatStore((state) => state.messages.get(fakeMessage(1).messageId));
  return message === undefined ? null : (
    <RowBoundary message={message}>
      <Fragile />
    </RowBoundary>
  );
}

test("a message that cannot be drawn is shown as text, until it changes", async () => {
  vi.spyOn(console, "error").mockImplementation(() => {});
  const bad = fakeMessage(1, { content: "bad <b>" });
  const chat = fakeChat([bad]);
  const host = draw(chat, <Row />);
  expect(host.textContent).toContain("cannot show this message");
  expect(host.querySelector(".message-text")?.textContent).toBe("bad <b>");
  const good = { ...bad, content: "good" };
  await act(async () => chat.store.setState({ messages: new Map([[good.messageId, good]]) }));
  expect(host.querySelector("b")?.textContent).toBe("good");
});
