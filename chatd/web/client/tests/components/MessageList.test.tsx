import { act } from "react";
import { beforeEach, describe, expect, test, vi } from "vitest";
import { MessageList } from "../../src/components/MessageList";
import type { ChatState, RoomView } from "../../src/stores/state";
import { fakeChat, fakeMessage, fakeRoom, fakeView } from "../fakes";
import { button, click, draw, press, settle, withSizes } from "./rendering";

beforeEach(() => withSizes());

const messages = (from: number, to: number) =>
  Array.from({ length: to - from + 1 }, (_, at) => fakeMessage(from + at));

function drawn(count = 60, over: Partial<RoomView> = {}, state: Partial<ChatState> = {}) {
  const held = messages(101, 100 + count);
  const chat = fakeChat(held, { views: new Map([["demo", fakeView(held, over)]]), ...state });
  const host = draw(chat, <MessageList room="demo" />);
  return { chat, host, log: host.querySelector("[role=log]") as HTMLElement };
}

function shown(host: HTMLElement): number[] {
  return [...host.querySelectorAll<HTMLElement>("article")].map((row) =>
    Number(row.dataset["seq"]),
  );
}

async function scrollTo(log: HTMLElement, top: number) {
  await act(async () => {
    log.scrollTop = top;
    log.dispatchEvent(new Event("scroll"));
  });
}

describe("the list", () => {
  test("is a log that readers are not told of by itself, with one stop for Tab", () => {
    const { log } = drawn();
    expect(log.getAttribute("aria-live")).toBe("off");
    expect(log.getAttribute("aria-label")).toBe("Messages of demo");
    expect(log.tabIndex).toBe(0);
    expect(log.querySelectorAll('article[tabindex="0"]')).toHaveLength(0);
  });

  test("draws only what is in sight, at the end first", () => {
    const { host } = drawn();
    expect(shown(host).length).toBeLessThan(40);
    expect(shown(host).at(-1)).toBe(160);
  });

  test("says that it reads while the first page has not come", () => {
    const { host } = drawn(0, { isReady: false });
    expect(host.textContent).toBe("Reading the messages…");
  });

  test("shows what waits of a room that cannot be read, and says when the rest comes", () => {
    const { seq: _seq, ...mine } = fakeMessage(1);
    const chat = fakeChat([{ ...mine, status: "pending" }], {
      views: new Map([["demo", fakeView([mine], { isReady: false })]]),
      connection: { phase: "offline", attempt: 1 },
    });
    const host = draw(chat, <MessageList room="demo" />);
    expect(host.querySelectorAll("article")).toHaveLength(1);
    expect(host.textContent).toContain("come once there is a connection");
  });

  test("does not draw the oldest message while older ones lie above, so that no name appears or goes", async () => {
    const { host } = drawn(5, { hasOlder: true });
    expect(shown(host)).toEqual([102, 103, 104, 105]);
    expect(host.querySelector("article")?.classList).toContain("is-following");
    expect(host.querySelector("[role=separator]")).toBeNull();
  });

  test("draws all where nothing lies above, with the day first", () => {
    const { host } = drawn(5);
    expect(shown(host)[0]).toBe(101);
    expect(host.querySelector("[role=separator]")).not.toBeNull();
  });
});

describe("pages", () => {
  test("are asked for before the reader is at the top, once", async () => {
    const { chat, log } = drawn(60, { hasOlder: true });
    const { loadOlder } = chat.store.getState();
    expect(loadOlder).not.toHaveBeenCalled();
    await scrollTo(log, 400);
    await scrollTo(log, 200);
    await scrollTo(log, 0);
    expect(loadOlder).toHaveBeenCalledExactlyOnceWith("demo");
  });

  test("that failed are asked for again by hand, not in a circle", async () => {
    const { chat, host, log } = drawn(60, { hasOlder: true });
    await scrollTo(log, 0);
    const view = chat.store.getState().views.get("demo") as RoomView;
    for (const isLoading of [true, false]) {
      await act(async () =>
        chat.store.setState({ views: new Map([["demo", { ...view, isLoading }]]) }),
      );
    }
    const { loadOlder } = chat.store.getState();
    expect(loadOlder).toHaveBeenCalledOnce();
    await click(button(host, "Show older messages"));
    expect(loadOlder).toHaveBeenCalledTimes(2);
  });

  test("are asked for again when there is a connection again", async () => {
    const { chat, log } = drawn(60, { hasOlder: true });
    await scrollTo(log, 0);
    await act(async () => chat.store.setState({ isConnected: false }));
    await act(async () => chat.store.setState({ isConnected: true }));
    expect(chat.store.getState().loadOlder).toHaveBeenCalledTimes(2);
  });

  test("below are asked for after a jump, until the end is held", async () => {
    const { chat } = drawn(60, { mode: "around", hasNewer: true, lastSeq: 900 });
    expect(chat.store.getState().loadNewer).toHaveBeenCalledExactlyOnceWith("demo");
  });
});

describe("new messages", () => {
  test("stand below a line that says how many", () => {
    const room = fakeRoom("demo", { unread: 2, readSeq: 103 });
    const { host } = drawn(5, { firstUnread: 104 }, { rooms: [room] });
    const line = host.querySelector(".message-line.is-new");
    expect(line?.textContent).toBe("2 new messages");
    expect(line?.parentElement?.querySelector("article")?.dataset["seq"]).toBe("104");
  });

  test("that begin above what is held are gone to", async () => {
    const { chat } = drawn(50, { firstUnread: 20, hasOlder: true });
    expect(chat.store.getState().jumpTo).toHaveBeenCalledExactlyOnceWith("demo", { seq: 20 });
  });

  test("are counted at the button to the end", async () => {
    const room = fakeRoom("demo", { unread: 3 });
    const view = { mode: "around", hasNewer: true, newBelow: 2 } as const;
    const { chat, host } = drawn(60, view, { rooms: [room] });
    await click(button(host, "Go to the newest message, 3 new messages"));
    expect(chat.store.getState().jumpToEnd).toHaveBeenCalledWith("demo");
  });
});

describe("a message that is asked for", () => {
  test("is marked, once it is held", async () => {
    const { chat, host } = drawn(30);
    const target = { room: "demo", messageId: fakeMessage(131).messageId, serial: 1 };
    await act(async () => chat.store.setState({ target }));
    expect(host.querySelector(".is-marked")).toBeNull();
    const more = messages(101, 131);
    await act(async () =>
      chat.store.setState({
        messages: new Map(more.map((message) => [message.messageId, message])),
        views: new Map([["demo", fakeView(more)]]),
      }),
    );
    expect(host.querySelector<HTMLElement>(".is-marked")?.dataset["seq"]).toBe("131");
  });

  test("of another room is not looked for", async () => {
    const { chat, host } = drawn(5);
    const target = { room: "other", messageId: fakeMessage(103).messageId, serial: 1 };
    await act(async () => chat.store.setState({ target }));
    expect(host.querySelector(".is-marked")).toBeNull();
  });
});

describe("the keyboard", () => {
  const seqOf = (element: Element | null) => (element as HTMLElement | null)?.dataset["seq"];

  test("goes message by message, and Tab comes back to where it was", async () => {
    const { log } = drawn(8);
    await act(async () => log.focus());
    await press(log, "ArrowUp");
    expect(seqOf(document.activeElement)).toBe("108");
    await press(document.activeElement as Element, "k");
    await press(document.activeElement as Element, "ArrowUp");
    expect(seqOf(document.activeElement)).toBe("106");
    await press(document.activeElement as Element, "j");
    expect(seqOf(document.activeElement)).toBe("107");
    await press(document.activeElement as Element, "Home");
    expect(seqOf(document.activeElement)).toBe("101");
    await press(document.activeElement as Element, "End");
    expect(seqOf(document.activeElement)).toBe("108");
    expect(log.querySelectorAll('article[tabindex="0"]')).toHaveLength(1);
    expect(log.tabIndex).toBe(-1);
  });

  test("leaves keys with Ctrl or Alt, and keys in buttons, alone", async () => {
    const { log } = drawn(8);
    const events = [
      await press(log, "ArrowUp", { altKey: true }),
      await press(log, "k", { ctrlKey: true }),
    ];
    expect(events.map((event) => event.defaultPrevented)).toEqual([false, false]);
  });

  test("never loses the focus where its message is gone", async () => {
    const { chat, log } = drawn(8);
    await act(async () => log.focus());
    await press(log, "ArrowUp");
    const rest = messages(101, 107);
    await act(async () => chat.store.setState({ views: new Map([["demo", fakeView(rest)]]) }));
    await settle();
    expect(document.activeElement).toBe(log);
  });
});

test("what the user has just written is gone to, also from elsewhere in the room", async () => {
  vi.spyOn(document, "hasFocus").mockReturnValue(true);
  const { chat } = drawn(60, { mode: "around", hasNewer: true, lastSeq: 900 });
  const written = fakeMessage(0, { messageId: "new", userId: "ada", status: "pending" });
  await act(async () => {
    const held = new Map(chat.store.getState().messages).set("new", written);
    chat.store.setState({ messages: held, pendingMessages: new Set(["new"]) });
  });
  expect(chat.store.getState().jumpToEnd).toHaveBeenCalledWith("demo");
});

test("a room that the user writes to before it was read opens at its end", async () => {
  vi.spyOn(document, "hasFocus").mockReturnValue(true);
  const held = messages(101, 160);
  const room = fakeRoom("demo", { unread: 50, readSeq: 110 });
  const { chat, host } = drawn(0, { isReady: false }, { rooms: [room] });
  const written = fakeMessage(161, { messageId: "new", userId: "ada", status: "pending" });
  await act(async () => {
    const known = new Map([...held, written].map((one) => [one.messageId, one]));
    chat.store.setState({ messages: known, pendingMessages: new Set(["new"]) });
  });
  await act(async () => {
    const view = fakeView([...held, written], { firstUnread: 111 });
    chat.store.setState({ views: new Map([["demo", view]]), pendingMessages: new Set() });
  });
  expect(shown(host).at(-1)).toBe(161);
});

test("a reply in a thread moves nothing in the room", async () => {
  vi.spyOn(document, "hasFocus").mockReturnValue(true);
  const { chat } = drawn(60, { mode: "around", hasNewer: true, lastSeq: 900 });
  const written = fakeMessage(0, { messageId: "new", threadId: "t", status: "pending" });
  await act(async () => {
    const held = new Map(chat.store.getState().messages).set("new", written);
    chat.store.setState({ messages: held, pendingMessages: new Set(["new"]) });
  });
  expect(chat.store.getState().jumpToEnd).not.toHaveBeenCalled();
});
