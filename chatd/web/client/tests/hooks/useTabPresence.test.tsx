import { act } from "react";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { useTabPresence } from "../../src/hooks/useTabPresence";
import type { Chat } from "../../src/stores/chat";
import type { PresenceStatus } from "../../src/websocket/types";
import { draw } from "../components/rendering";
import { fakeChat } from "../fakes";

let visibility: DocumentVisibilityState = "visible";

beforeEach(() => {
  vi.useFakeTimers();
  visibility = "visible";
  vi.spyOn(document, "visibilityState", "get").mockImplementation(() => visibility);
});
afterEach(() => void vi.useRealTimers());

function Tab({ chat }: { chat: Chat }) {
  useTabPresence(chat);
  return null;
}

function drawn() {
  const chat = fakeChat([], { me: { userId: "ada" } });
  draw(chat, <Tab chat={chat} />);
  const declared = () => vi.mocked(chat.store.getState().setPresence).mock.calls.flat();
  const heard = async (status: PresenceStatus) =>
    act(async () => chat.store.setState({ presence: new Map([["ada", status]]) }));
  return { chat, declared, heard };
}

async function turn(to: DocumentVisibilityState) {
  visibility = to;
  await act(async () => void document.dispatchEvent(new Event("visibilitychange")));
}

test("a tab that nobody looks at for long declares its user away, until it is seen again", async () => {
  const { declared } = drawn();
  await turn("hidden");
  await act(async () => void (await vi.advanceTimersByTimeAsync(5 * 60_000)));
  expect(declared()).toEqual(["away"]);
  await turn("visible");
  expect(declared()).toEqual(["away", "online"]);
});

test("whoever another tab has declared away is online where this tab is seen", async () => {
  const { declared, heard } = drawn();
  await heard("online");
  expect(declared()).toEqual([]);
  await heard("away");
  expect(declared()).toEqual(["online"]);
  await turn("hidden");
  await heard("online");
  await heard("away");
  expect(declared()).toEqual(["online"]);
  await turn("visible");
  expect(declared()).toEqual(["online", "online"]);
});
