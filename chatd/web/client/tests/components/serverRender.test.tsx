// @vitest-environment node
import { renderToString } from "react-dom/server";
import { expect, test } from "vitest";
import { MessageList } from "../../src/components/MessageList";
import { SearchPanel } from "../../src/components/SearchPanel";
import { ThreadPanel } from "../../src/components/ThreadPanel";
import { ChatProvider } from "../../src/hooks/useChat";
import { fakeChat, fakeMessage } from "../fakes";

test("lists and panels are drawn on a server too, where there is no window", () => {
  const chat = fakeChat([fakeMessage(1), fakeMessage(2)]);
  const drawn = renderToString(
    <ChatProvider chat={chat}>
      <MessageList room="demo" />
      <MessageList room="" />
      <ThreadPanel threadId="t" />
      <SearchPanel />
    </ChatProvider>,
  );
  expect(drawn).toContain("Messages of demo");
  expect(drawn).toContain("Reading the thread");
  expect(drawn).toContain("Search messages");
});
