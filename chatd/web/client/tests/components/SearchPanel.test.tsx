import { act } from "react";
import { beforeEach, expect, test } from "vitest";
import { SearchPanel } from "../../src/components/SearchPanel";
import type { ChatState, SearchView } from "../../src/stores/state";
import type { FoundMessage, PublishedMessage } from "../../src/websocket/types";
import { MEDIUM, NARROW } from "../../src/hooks/useMedia";
import { fakeChat, fakeMessage, fakeRoom } from "../fakes";
import { button, click, draw, press, settle, type } from "./rendering";
import { holding } from "./media";

beforeEach(() => {
  holding();
});

function hit(seq: number, over: Partial<FoundMessage> = {}): FoundMessage {
  const message = fakeMessage(seq) as PublishedMessage;
  return { message, snippet: `message ${seq}`, highlights: [[0, 7]], ...over };
}

function drawn(search?: Partial<SearchView>, state: Partial<ChatState> = {}) {
  const view: SearchView = {
    query: "late",
    connectionId: "demo",
    hits: [],
    isLoading: false,
    incomplete: false,
    ...search,
  };
  const chat = fakeChat([], { ...(search === undefined ? {} : { search: view }), ...state });
  const host = draw(chat, <SearchPanel />);
  return { chat, host, input: host.querySelector("input[type=search]") as HTMLInputElement };
}

async function submit(host: HTMLElement) {
  await act(async () => {
    host
      .querySelector("form")
      ?.dispatchEvent(new Event("submit", { bubbles: true, cancelable: true }));
  });
}

test("has the focus, and tells how to search", () => {
  const { host, input } = drawn();
  input.focus();
  expect(host.querySelector(`#${input.getAttribute("aria-describedby")}`)?.textContent).toContain(
    "-late",
  );
});

test("searches the room, or all rooms", async () => {
  const { chat, host, input } = drawn();
  await type(input, "  late orders ");
  await submit(host);
  const { runSearch } = chat.store.getState();
  expect(runSearch).toHaveBeenLastCalledWith("late orders", { room: "demo" });
  await click(host.querySelectorAll<HTMLElement>("input[type=radio]")[1] as HTMLElement);
  await submit(host);
  expect(runSearch).toHaveBeenLastCalledWith("late orders", {});
});

test("searches for nothing where nothing is written", async () => {
  const { chat, host } = drawn();
  await submit(host);
  expect(chat.store.getState().runSearch).not.toHaveBeenCalled();
});

test("searches anew where another place is chosen", async () => {
  const { chat, host } = drawn({ hits: [hit(1)] });
  await click(host.querySelectorAll<HTMLElement>("input[type=radio]")[1] as HTMLElement);
  expect(chat.store.getState().runSearch).toHaveBeenLastCalledWith("late", {});
});

test("marks the matches as text, whatever the snippet holds", () => {
  const snippet = "🙂 <img src=x onerror=alert(1)> late";
  const { host } = drawn({ hits: [hit(1, { snippet, highlights: [[31, 35]] })] });
  const shown = host.querySelector(".search-snippet");
  expect(shown?.textContent).toBe(snippet);
  expect([...(shown?.children ?? [])].map((one) => [one.tagName, one.textContent])).toEqual([
    ["MARK", "late"],
  ]);
});

test("goes to a hit with its surroundings", async () => {
  const { chat, host } = drawn({ hits: [hit(7)] });
  await click(host.querySelector(".search-hit") as HTMLElement);
  const place = { messageId: fakeMessage(7).messageId, seq: 7 };
  expect(chat.store.getState().openRoom).toHaveBeenCalledWith("demo", place);
});

test("opens the room of a hit that is elsewhere, and says which it is", async () => {
  const other = { ...hit(7), message: { ...hit(7).message, connectionId: "other" } };
  const { connectionId: _, ...everywhere } = { ...fakeSearch, hits: [other] };
  const rooms = [fakeRoom("demo"), fakeRoom("other", { title: "The other" })];
  const { chat, host } = drawn(undefined, { search: everywhere, rooms });
  expect(host.querySelector(".search-hit")?.textContent).toContain("The other");
  await click(host.querySelector(".search-hit") as HTMLElement);
  await settle();
  expect(chat.store.getState().openRoom).toHaveBeenCalledWith("other", expect.anything());
});

test("says where the hits of a search are that was made in another room", () => {
  const rooms = [fakeRoom("demo", { title: "The demo" }), fakeRoom("other")];
  const { host } = drawn({ hits: [hit(7)] }, { room: "other", rooms });
  expect(host.querySelector(".search-hit")?.textContent).toContain("The demo");
});

const fakeSearch: SearchView = {
  query: "late",
  connectionId: "demo",
  hits: [],
  isLoading: false,
  incomplete: false,
};

test.each([
  { of: "the hit", isShown: true },
  { of: "a hit that is gone", isShown: false },
])("gives way to $of where it lies over the messages: $isShown", async ({ isShown }) => {
  holding(MEDIUM);
  const { messageId } = fakeMessage(7);
  const target = { room: "demo", messageId, serial: 1 };
  const { chat, host } = drawn({ hits: [hit(7)] }, isShown ? { target } : {});
  chat.ui.getState().openPanel({ kind: "search" });
  await click(host.querySelector(".search-hit") as HTMLElement);
  await settle();
  expect(chat.ui.getState().panel === undefined).toBe(isShown);
});

test("is walked through by arrows", async () => {
  const { host, input } = drawn({ hits: [hit(1), hit(2)] });
  const hits = [...host.querySelectorAll(".search-hit")];
  input.focus();
  await press(input, "ArrowDown");
  expect(document.activeElement).toBe(hits[0]);
  await press(document.activeElement as Element, "ArrowDown");
  expect(document.activeElement).toBe(hits[1]);
  await press(document.activeElement as Element, "ArrowUp");
  await press(document.activeElement as Element, "ArrowUp");
  expect(document.activeElement).toBe(input);
});

test.each([
  [{ isLoading: true }, "Searching…"],
  [{}, "Nothing was found."],
  [{ hits: [hit(1)] }, "1 message found."],
  [{ hits: [hit(1), hit(2)], cursor: "c" }, "The best 2 messages; there are more."],
  [{ failure: "This cannot be searched for." }, "This cannot be searched for."],
  [{ incomplete: true }, "still reading older messages"],
] as [Partial<SearchView>, string][])("%j is told in words", (search, words) => {
  expect(drawn(search).host.textContent).toContain(words);
});

test("more is asked for of the search that was made, whatever is written since", async () => {
  const { chat, host, input } = drawn({ hits: [hit(1)], cursor: "c" });
  await type(input, "another");
  await click(button(host, "Show more"));
  expect(chat.store.getState().runSearch).toHaveBeenCalledWith("late", {
    room: "demo",
    more: true,
  });
});

test("what stands in the box has room there", () => {
  const placeholder = () => drawn().host.querySelector("input")?.placeholder;
  expect(placeholder()).toBe("Search messages and answers");
  holding(NARROW);
  expect(placeholder()).toBe("Search messages");
});

test("a hit of the server itself has a badge", () => {
  const message = fakeMessage(1, { userId: "chatd:system" }) as PublishedMessage;
  const { host } = drawn({ hits: [hit(1, { message }), hit(2)] });
  const badges = [...host.querySelectorAll(".search-hit")].map(
    (one) => one.querySelector(".answer-badge")?.textContent,
  );
  expect(badges).toEqual(["from the server", undefined]);
});
