import { act } from "react";
import { beforeEach, expect, test, vi } from "vitest";
import { ThreadPanel } from "../../src/components/ThreadPanel";
import type { ChatState, ThreadView } from "../../src/stores/state";
import { fakeChat, fakeMessage } from "../fakes";
import { button, click, draw, enter, withSizes } from "./rendering";

beforeEach(() => withSizes());

const root = fakeMessage(1, { content: "the question" });
const replies = [2, 3].map((seq) => fakeMessage(seq, { threadId: root.messageId }));

function drawn(over: Partial<ThreadView> | undefined, state: Partial<ChatState> = {}) {
  const thread: ThreadView = {
    threadId: root.messageId,
    root,
    ids: replies.map((reply) => reply.messageId),
    hasOlder: false,
    isLoading: false,
    ...over,
  };
  const chat = fakeChat(replies, { ...(over === undefined ? {} : { thread }), ...state });
  const host = draw(chat, <ThreadPanel threadId={root.messageId} />);
  return { chat, host };
}

test("reads the thread when it is opened", () => {
  const { chat, host } = drawn(undefined);
  expect(chat.store.getState().openThread).toHaveBeenCalledWith(root.messageId);
  expect(host.textContent).toContain("Reading the thread…");
});

test.each([
  ["a mouse", true],
  ["a finger", false],
])("where %s points, its box has the focus: %s", (_, isFine) => {
  const [addEventListener, removeEventListener] = [vi.fn(), vi.fn()];
  vi.stubGlobal("matchMedia", () => ({
    matches: isFine,
    addEventListener,
    removeEventListener,
  }));
  const { host } = drawn({});
  const box = host.querySelector("textarea");
  expect(box).not.toBeNull();
  expect(document.activeElement === box).toBe(isFine);
});

test("shows the opener, how many replies there are, and the replies", () => {
  const { host } = drawn({});
  const rows = [...host.querySelectorAll("article")].map((row) => row.dataset["seq"]);
  expect(rows).toEqual(["1", "2", "3"]);
  expect(host.querySelector(".is-replies")?.textContent).toBe("2 replies");
  expect(host.textContent).not.toContain("In the thread of");
});

test("does not offer to open itself once more", async () => {
  const { host } = drawn({});
  const row = host.querySelector("article") as HTMLElement;
  await enter(row);
  const names = [...row.querySelectorAll(".message-toolbar button")].map((one) =>
    one.getAttribute("aria-label"),
  );
  expect(names).toEqual(["React", "Copy message", "Copy link"]);
});

test("tells how many replies there are in all, where older ones are not read yet", () => {
  const opener = { ...root, replies: { count: 90, lastSeq: 99, users: ["bob"] } };
  expect(drawn({ root: opener, hasOlder: true }).host.textContent).toContain("90 replies");
});

test("reads older replies as they come near", () => {
  const { chat } = drawn({ hasOlder: true });
  expect(chat.store.getState().loadOlderInThread).toHaveBeenCalledOnce();
});

test("says why a thread cannot be read, and tries again", async () => {
  const { chat, host } = drawn({ failure: "No message of this connection opened that thread." });
  expect(host.textContent).toContain("No message of this connection opened that thread.");
  expect(host.querySelectorAll("article")).toHaveLength(3);
  await click(button(host, "Try again"));
  expect(chat.store.getState().openThread).toHaveBeenCalledTimes(2);
});

test("does not show another thread than the one it is asked for", async () => {
  const { chat, host } = drawn({ threadId: "other" });
  expect(host.textContent).toContain("Reading the thread…");
  await act(async () => chat.store.setState({ thread: undefined }));
  expect(host.querySelector("article")).toBeNull();
});

test("replies are not read for the room by being seen in a thread", () => {
  expect(drawn({}).chat.store.getState().markAsRead).not.toHaveBeenCalled();
});
