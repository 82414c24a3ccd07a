import { act, StrictMode } from "react";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { NARROW } from "../../src/hooks/useMedia";
import { holding } from "./media";
import { Composer } from "../../src/components/Composer";
import { composingOf } from "../../src/composer/composing";
import type { ChatState, SendOptions } from "../../src/stores/state";
import type { RoomDatabase } from "../../src/websocket/wire.gen";
import {
  type Deferred,
  deferred,
  boxOf,
  buttonNamed,
  click,
  openPage,
  paste,
  press,
  texts,
  write,
  type Page,
} from "../composer/page";
import { fakeChat, fakeMessage, fakeRoom, type FakeChat } from "../fakes";

const DATABASE: RoomDatabase = {
  kind: "sqlite",
  dialect: "sqlite",
  readOnly: false,
  dryRun: true,
  commands: ["/tables", "/describe"],
};
const SERVER = {
  version: "1",
  features: [],
  commands: [
    { name: "/tables", argument: null, purpose: "lists the tables" },
    { name: "/describe", argument: "TABLE", purpose: "shows the columns of a table" },
  ],
};
const TABLES = [
  { name: "orders", kind: "table", columns: [{ name: "id", type: "INTEGER" }] },
  { name: "customers", kind: "table", columns: [{ name: "city", type: "TEXT" }] },
];

let page: Page | undefined;

beforeEach(() => localStorage.clear());
afterEach(() => {
  page?.leave();
  page = undefined;
  vi.useRealTimers();
});

function open(
  over: Partial<ChatState> = {},
  database: RoomDatabase | undefined = DATABASE,
): FakeChat {
  const room = fakeRoom("demo", database === undefined ? {} : { database });
  const chat = fakeChat(
    [
      fakeMessage(1, { userId: "ada", content: "first" }),
      fakeMessage(2),
      fakeMessage(3, { userId: "ada", content: "second" }),
    ],
    { rooms: [room, fakeRoom("other")], server: SERVER, ...over },
  );
  page = openPage(chat, <Composer room="demo" />);
  return chat;
}

function box(): HTMLTextAreaElement {
  return boxOf(page as Page);
}

function options(): string[] {
  return texts(page as Page, ".composer-options [role=option] .composer-option-label");
}

function sentBy(chat: FakeChat): [string, SendOptions | undefined][] {
  return vi.mocked(chat.store.getState().sendMessage).mock.calls as [
    string,
    SendOptions | undefined,
  ][];
}

function outboxError(name: string, message: string): Error {
  return Object.assign(new Error(message), { name });
}

describe("the box", () => {
  test("says so in few words where there is little room", () => {
    holding(NARROW);
    open();
    vi.unstubAllGlobals();
    expect(box().placeholder).toBe("Message, SQL or /");
    expect(box().getAttribute("aria-label")).toBe("Message to demo");
  });

  test("says what can be written, by room and database", () => {
    open();
    expect(box().placeholder).toBe("Message demo, or ask it: SQL or /");
    page?.leave();
    page = openPage(
      fakeChat([], { rooms: [fakeRoom("demo", { title: "Talk" })] }),
      <Composer room="demo" />,
    );
    expect(box().placeholder).toBe("Message Talk");
    expect(box().getAttribute("aria-label")).toBe("Message to Talk");
    expect(page.root.querySelector("fieldset")).toBeNull();
  });

  test("sends by Enter, and is empty then", async () => {
    const chat = open();
    write(box(), "hello");
    expect(await press(box(), "Enter")).toBe(true);
    expect(sentBy(chat)).toEqual([["hello", { room: "demo" }]]);
    expect(box().value).toBe("");
  });

  test("leaves Shift+Enter to the browser, and Enter to an input method", async () => {
    const chat = open();
    write(box(), "hello");
    expect(await press(box(), "Enter", { shiftKey: true })).toBe(false);
    expect(await press(box(), "Enter", { isComposing: true })).toBe(false);
    expect(await press(box(), "Enter", { keyCode: 229 })).toBe(false);
    expect(sentBy(chat)).toEqual([]);
  });

  test("sends once while the key is held down, and nothing that is blank", async () => {
    const chat = open();
    write(box(), " \u200b");
    await press(box(), "Enter");
    expect(buttonNamed(page as Page, "Send")?.disabled).toBe(true);
    paste(box(), "hello");
    await press(box(), "Enter", { repeat: true });
    expect(sentBy(chat)).toEqual([]);
  });

  test("sends a reply into its thread", async () => {
    const chat = open();
    page?.show(<Composer room="demo" threadId="t1" />);
    expect(box().placeholder).toBe("Reply in this thread, or ask it: SQL or /");
    write(box(), "reply");
    await press(box(), "Enter");
    expect(sentBy(chat)).toEqual([["reply", { room: "demo", threadId: "t1" }]]);
  });

  test("is counted from four fifths of the limit on, and says why it is not sent", async () => {
    const chat = open();
    paste(box(), "a".repeat(7_999));
    expect(texts(page as Page, ".composer-count")).toEqual([]);
    paste(box(), "😀".repeat(8_000));
    expect(texts(page as Page, ".composer-count")).toEqual(["8,000 of 10,000 characters"]);
    paste(box(), "a".repeat(10_002));
    expect(texts(page as Page, ".composer-problem")).toEqual([
      "The message is 2 characters too long. Shorten it, or send it in parts.",
    ]);
    expect(buttonNamed(page as Page, "Send")?.disabled).toBe(true);
    expect(box().getAttribute("aria-describedby")).toBe(
      page?.root.querySelector(".composer-problem")?.id,
    );
    expect(chat.ui.getState().announcement?.urgency).toBe("assertive");
    await press(box(), "Enter", { ctrlKey: true });
    expect(sentBy(chat)).toEqual([]);
    expect(box().value).toHaveLength(10_002);
  });

  test("never shows content as anything but text", () => {
    open();
    paste(box(), "SELECT '<img src=x onerror=alert(1)>' FROM orders");
    const mirror = page?.root.querySelector(".composer-mirror");
    expect(mirror?.querySelector("img")).toBeNull();
    expect(mirror?.textContent).toBe(`${box().value}\n`);
  });
});

describe("for a viewer", () => {
  test("there is no box, and words say why", () => {
    open({ rooms: [fakeRoom("demo", { role: "viewer" })] });
    expect(page?.root.querySelector("form")).toBeNull();
    expect(page?.root.textContent).toContain("You are a viewer of this room");
    expect(page?.root.textContent).toContain("Whoever runs this server can make you a member.");
  });
});

describe("the outbox", () => {
  test("that is full leaves the text in the box, and says so", async () => {
    const refused = outboxError("OutboxFull", "100 messages wait already.");
    const chat = open({ sendMessage: vi.fn(() => Promise.reject(refused)) });
    write(box(), "keep me");
    await press(box(), "Enter");
    expect(box().value).toBe("keep me");
    expect(texts(page as Page, ".composer-problem")).toEqual(["100 messages wait already."]);
    expect(chat.ui.getState().announcement?.text).toBe("100 messages wait already.");
    write(box(), "!");
    expect(texts(page as Page, ".composer-problem")).toEqual([]);
  });

  test.each([
    ["OutboxUnwritable", "This browser stores nothing, so the message cannot wait here."],
    ["TypeError", "The message could not be sent."],
  ])("that fails by %s is told in words", async (name, sentence) => {
    open({ sendMessage: vi.fn(() => Promise.reject(outboxError(name, "internal words"))) });
    write(box(), "keep me");
    await press(box(), "Enter");
    expect(texts(page as Page, ".composer-problem")[0]).toContain(sentence);
    expect(box().value).toBe("keep me");
  });

  test("that is slow loses nothing: the draft stays until it has the message", async () => {
    const taken = deferred<string>();
    const chat = open({ sendMessage: vi.fn(() => taken.promise) });
    write(box(), "one");
    await press(box(), "Enter");
    write(box(), "two");
    expect(Object.values(localStorage)).toEqual(["one"]);
    act(() => void globalThis.dispatchEvent(new Event("pagehide")));
    expect(Object.values(localStorage)).toEqual(["one\ntwo"]);
    await act(async () => taken.resolve("id"));
    expect(Object.values(localStorage)).toEqual(["two"]);
    expect(sentBy(chat)).toHaveLength(1);
    expect(box().value).toBe("two");
  });

  test("gets one message after the other, in the order of typing", async () => {
    const takes: Deferred<string>[] = [];
    const chat = open({
      sendMessage: vi.fn(() => {
        takes.push(deferred<string>());
        return takes.at(-1)?.promise ?? Promise.reject(new Error("never"));
      }),
    });
    write(box(), "one");
    await press(box(), "Enter");
    write(box(), "two");
    await press(box(), "Enter");
    expect(sentBy(chat).map(([text]) => text)).toEqual(["one"]);
    await act(async () => takes[0]?.resolve("id"));
    expect(sentBy(chat).map(([text]) => text)).toEqual(["one", "two"]);
    await act(async () => takes[1]?.reject(outboxError("OutboxFull", "full")));
    expect(box().value).toBe("two");
  });

  test("that takes a message whose box is gone leaves no draft of it", async () => {
    const taken = deferred<string>();
    open({ sendMessage: vi.fn(() => taken.promise) });
    write(box(), "one");
    await press(box(), "Enter");
    write(box(), "two");
    page?.show(<Composer room="other" />);
    expect(Object.values(localStorage)).toEqual(["one\ntwo"]);
    await act(async () => taken.resolve("id"));
    expect(Object.values(localStorage)).toEqual(["two"]);
    page?.show(<Composer room="demo" />);
    expect(box().value).toBe("two");
  });
});

describe("drafts", () => {
  test("of two rooms never mix, and come back with their room", () => {
    open();
    write(box(), "for demo");
    page?.show(<Composer room="other" />);
    expect(box().value).toBe("");
    write(box(), "for other");
    page?.show(<Composer room="demo" threadId="t" />);
    expect(box().value).toBe("");
    page?.show(<Composer room="demo" />);
    expect(box().value).toBe("for demo");
    page?.show(<Composer room="other" />);
    expect(box().value).toBe("for other");
  });

  test("of two users of a browser never mix", () => {
    open();
    write(box(), "of Ada");
    page?.leave();
    open({ me: { userId: "bob" } });
    expect(box().value).toBe("");
    page?.leave();
    open();
    expect(box().value).toBe("of Ada");
  });

  test("stay with who has signed out", () => {
    const chat = open();
    write(box(), "of Ada");
    act(() => chat.store.setState({ me: undefined }));
    expect(box().value).toBe("");
    act(() => chat.store.setState({ me: { userId: "bob" } }));
    expect(box().value).toBe("");
    act(() => chat.store.setState({ me: { userId: "ada" } }));
    expect(box().value).toBe("of Ada");
  });

  test("join what was typed before the server said who writes", () => {
    open();
    write(box(), "kept");
    page?.leave();
    const chat = open({ me: undefined });
    write(box(), "typed at once");
    act(() => chat.store.setState({ me: { userId: "ada" } }));
    expect(box().value).toBe("kept\ntyped at once");
  });

  test("are kept 200 ms after the last key, and survive strict mode", () => {
    vi.useFakeTimers();
    const chat = open();
    write(box(), "soon");
    expect(Object.values(localStorage)).toEqual([]);
    act(() => void vi.advanceTimersByTime(200));
    expect(Object.values(localStorage)).toEqual(["soon"]);
    page?.leave();
    page = openPage(
      chat,
      <StrictMode>
        <Composer room="demo" />
      </StrictMode>,
    );
    expect(box().value).toBe("soon");
  });

  test("stay in the box where the browser stores nothing, and a sentence says so", async () => {
    vi.stubGlobal("localStorage", undefined);
    open();
    write(box(), "only here");
    await act(async () => void globalThis.dispatchEvent(new Event("pagehide")));
    expect(texts(page as Page, ".composer-problem")[0]).toMatch(/does not keep what you write/);
    page?.show(<Composer room="other" />);
    page?.show(<Composer room="demo" />);
    expect(box().value).toBe("only here");
    await press(box(), "Enter");
    expect(texts(page as Page, ".composer-problem")).toEqual([]);
  });
});

describe("completions", () => {
  test("of commands are tied to the box, and accepted by Tab", async () => {
    const chat = open({
      schemas: new Map([["demo", { tables: TABLES, truncated: false, readAt: 1 }]]),
    });
    write(box(), "/d");
    expect(options()).toEqual(["/describe TABLE"]);
    const list = page?.root.querySelector("[role=listbox]");
    expect(box().getAttribute("aria-controls")).toBe(list?.id);
    const picked = page?.root.querySelector("[aria-selected=true]");
    expect(box().getAttribute("aria-activedescendant")).toBe(picked?.id);
    expect(box().getAttribute("role")).toBeNull();
    await press(box(), "Tab");
    await act(() => vi.dynamicImportSettled());
    expect(box().value).toBe("/describe ");
    expect(options()).toEqual(["orders", "customers"]);
    await press(box(), "ArrowDown");
    await press(box(), "Enter");
    expect(box().value).toBe("/describe customers");
    expect(options()).toEqual([]);
    expect(box().getAttribute("aria-controls")).toBeNull();
    await press(box(), "Enter");
    expect(sentBy(chat).map(([text]) => text)).toEqual(["/describe customers"]);
  });

  test("close by Esc, and stay closed for that word; then Esc is the page's", async () => {
    open();
    write(box(), "/d");
    expect(await press(box(), "Escape")).toBe(true);
    expect(options()).toEqual([]);
    write(box(), "e");
    expect(options()).toEqual([]);
    expect(await press(box(), "Escape")).toBe(false);
    await press(box(), " ", { ctrlKey: true });
    expect(options()).toEqual(["/describe TABLE"]);
  });

  test("close when the focus goes, and come back with the next letter", () => {
    open();
    write(box(), "/d");
    act(() => box().blur());
    expect(options()).toEqual([]);
    write(box(), "e");
    expect(options()).toEqual(["/describe TABLE"]);
  });

  test("never hold back Ctrl+Enter", async () => {
    const chat = open();
    write(box(), "/d");
    await press(box(), "Enter", { ctrlKey: true });
    expect(sentBy(chat).map(([text]) => text)).toEqual(["/d"]);
  });

  describe("of SQL", () => {
    async function typed(text: string): Promise<FakeChat> {
      const tables = [...TABLES, { name: "order_items", kind: "table", columns: [] }];
      const chat = open({
        schemas: new Map([["demo", { tables, truncated: false, readAt: 1 }]]),
      });
      write(box(), text);
      await act(() => vi.dynamicImportSettled());
      return chat;
    }

    test.each([
      "SELECT * FROM orders o",
      "SELECT * FROM order",
      "SELECT c.city c FROM customers c",
      "SELECT sum(id) or",
    ])("let Enter send what was typed: %s", async (text) => {
      const chat = await typed(text);
      await press(box(), "Enter");
      expect(sentBy(chat).map(([sent]) => sent)).toEqual([text]);
    });

    test("are taken by Tab, and by Enter once the user has moved to one", async () => {
      const chat = await typed("SELECT * FROM ord");
      expect(options()).toEqual(["orders", "order_items"]);
      await press(box(), "Tab");
      expect(box().value).toBe("SELECT * FROM orders");
      write(box(), ", ord");
      await press(box(), "ArrowDown");
      await press(box(), "Enter");
      expect(box().value).toBe("SELECT * FROM orders, order_items");
      expect(sentBy(chat)).toEqual([]);
    });

    test("are taken by Enter if they were asked for, also while their word goes on", async () => {
      const chat = await typed("SELECT * FROM ");
      await press(box(), " ", { ctrlKey: true });
      expect(options()).toEqual(["orders", "customers", "order_items"]);
      write(box(), "cu");
      expect(options()).toEqual(["customers"]);
      await press(box(), "Enter");
      expect(box().value).toBe("SELECT * FROM customers");
      write(box(), ", ord");
      await press(box(), "Enter");
      expect(sentBy(chat).map(([sent]) => sent)).toEqual(["SELECT * FROM customers, ord"]);
    });
  });

  test("read the schema once it is of use, and show it as it comes", async () => {
    const loadSchema = vi.fn(async () => {});
    const chat = open({ loadSchema });
    write(box(), "hello");
    expect(loadSchema).not.toHaveBeenCalled();
    paste(box(), "SELECT * FROM o");
    write(box(), "r");
    expect(loadSchema).toHaveBeenCalledTimes(1);
    expect(options()).toEqual([]);
    await act(() => vi.dynamicImportSettled());
    const view = { tables: TABLES, truncated: false, readAt: 1 };
    act(() => chat.store.setState({ schemas: new Map([["demo", view]]) }));
    expect(options()).toEqual(["orders"]);
  });

  test("ask again for a schema that could not be read, as long as somebody waits for it", async () => {
    vi.useFakeTimers();
    const failed = { tables: [], truncated: false, readAt: 0, failure: "It is being started." };
    const loadSchema = vi.fn(async () => {});
    const chat = open({ loadSchema });
    write(box(), "/describe ");
    act(() => chat.store.setState({ schemas: new Map([["demo", failed]]) }));
    expect(loadSchema).toHaveBeenCalledTimes(1);
    act(() => void vi.advanceTimersByTime(3_000));
    expect(loadSchema).toHaveBeenCalledTimes(2);
    act(() => box().blur());
    act(() => chat.store.setState({ schemas: new Map([["demo", { ...failed }]]) }));
    act(() => void vi.advanceTimersByTime(60_000));
    expect(loadSchema).toHaveBeenCalledTimes(2);
  });

  test("ask no server that has no schema to give", () => {
    const loadSchema = vi.fn(async () => {});
    open({ loadSchema, can: () => false });
    paste(box(), "SELECT * FROM o");
    expect(loadSchema).not.toHaveBeenCalled();
  });

  test("are picked by the mouse, too", async () => {
    open();
    write(box(), "/");
    await click(page?.root.querySelectorAll("[role=option]")[1]);
    expect(box().value).toBe("/describe ");
  });

  test("close when the cursor is moved elsewhere", () => {
    open();
    write(box(), "/d");
    act(() => {
      box().setSelectionRange(0, 0);
      box().dispatchEvent(new Event("select", { bubbles: true }));
      document.dispatchEvent(new Event("selectionchange"));
    });
    expect(options()).toEqual([]);
  });

  test("of people are those of the room", () => {
    open({ names: new Map([["bob", "Bob"]]), presence: new Map([["bob", "away"]]) });
    write(box(), "hi @b");
    expect(texts(page as Page, "[role=option]")).toEqual(["Bob bob · away"]);
  });
});

describe("earlier messages", () => {
  test("come by arrow up in an empty box, and go by Esc", async () => {
    open();
    await press(box(), "ArrowUp");
    expect(box().value).toBe("second");
    await press(box(), "ArrowUp");
    expect(box().value).toBe("first");
    await press(box(), "ArrowDown");
    expect(box().value).toBe("second");
    await press(box(), "ArrowDown");
    expect(box().value).toBe("");
    await press(box(), "ArrowUp");
    expect(await press(box(), "Escape")).toBe(true);
    expect(box().value).toBe("");
  });

  test("leave the arrows to who edits them, and to a box that is not empty", async () => {
    open();
    await press(box(), "ArrowUp");
    write(box(), "!");
    expect(await press(box(), "ArrowUp")).toBe(false);
    expect(box().value).toBe("second!");
  });

  test("are searched for by Ctrl+R", async () => {
    open();
    write(box(), "draft");
    expect(await press(box(), "r", { ctrlKey: true })).toBe(true);
    const input = page?.root.querySelector("input[role=combobox]") as HTMLInputElement;
    expect(document.activeElement).toBe(input);
    expect(options()).toEqual(["second", "first"]);
    await press(input, "ArrowDown");
    await press(input, "Enter");
    expect(box().value).toBe("first");
    expect(document.activeElement).toBe(box());
    await press(box(), "Escape");
    expect(box().value).toBe("draft");
  });
});

describe("the next question", () => {
  function switchNamed(name: string): HTMLInputElement {
    const label = [...(page?.root.querySelectorAll("label") ?? [])].find((one) =>
      one.textContent?.includes(name),
    );
    return label?.querySelector("input") as HTMLInputElement;
  }

  test("may write, or only be planned, and the one after it is as before", async () => {
    const chat = open();
    await click(switchNamed("Read only"));
    await click(switchNamed("Plan only"));
    write(box(), "UPDATE orders SET id = 1");
    await press(box(), "Enter", { ctrlKey: true });
    await act(async () => {});
    expect(sentBy(chat)[0]?.[1]).toEqual({
      room: "demo",
      context: { config: { readOnly: false, dryRun: true } },
    });
    expect(switchNamed("Read only").checked).toBe(true);
    expect(switchNamed("Plan only").checked).toBe(false);
    paste(box(), "again");
    await press(box(), "Enter");
    expect(sentBy(chat)[1]?.[1]).toEqual({ room: "demo" });
  });

  test("that was refused is asked in the same way again", async () => {
    open({ sendMessage: vi.fn(() => Promise.reject(new Error("no"))) });
    await click(switchNamed("Read only"));
    write(box(), "hello");
    await press(box(), "Enter");
    expect(switchNamed("Read only").checked).toBe(false);
  });

  test("falls back when the room is left", async () => {
    open();
    await click(switchNamed("Read only"));
    page?.show(<Composer room="other" />);
    page?.show(<Composer room="demo" />);
    expect(switchNamed("Read only").checked).toBe(true);
  });

  test("cannot write where nothing may be written, and a reason says so", async () => {
    open({}, { ...DATABASE, readOnly: true, dryRun: false });
    const readOnly = switchNamed("Read only");
    await click(readOnly);
    expect(readOnly.checked).toBe(true);
    expect(readOnly.getAttribute("aria-disabled")).toBe("true");
    const reason = document.getElementById(readOnly.getAttribute("aria-describedby") ?? "");
    expect(reason?.textContent).toBe("The database of this room allows reading only.");
    expect(switchNamed("Plan only")).toBeUndefined();
  });

  test("is narrowed to tables that are picked, and to such as are typed", async () => {
    const chat = open({
      schemas: new Map([["demo", { tables: TABLES, truncated: false, readAt: 1 }]]),
    });
    await click(buttonNamed(page as Page, "+ Table"));
    await press(page?.root.querySelector("input[role=combobox]") as Element, "Enter");
    expect(texts(page as Page, ".composer-chip")).toEqual(["orders✕"]);
    await click(buttonNamed(page as Page, "+ Table"));
    const input = page?.root.querySelector("input[role=combobox]") as HTMLInputElement;
    act(() => {
      Object.getOwnPropertyDescriptor(HTMLInputElement.prototype, "value")?.set?.call(
        input,
        "secret",
      );
      input.dispatchEvent(new InputEvent("input", { bubbles: true }));
    });
    expect(texts(page as Page, "[role=option]")).toEqual([
      "secret table, as typed",
      "secret schema, as typed",
    ]);
    await press(input, "ArrowDown");
    await press(input, "Enter");
    expect(texts(page as Page, ".composer-chip")).toEqual(["schema secret✕", "orders✕"]);
    await click(buttonNamed(page as Page, "Leave out the schema secret"));
    write(box(), "hello");
    await press(box(), "Enter");
    expect(sentBy(chat)[0]?.[1]).toEqual({ room: "demo", context: { tables: ["orders"] } });
    expect(texts(page as Page, ".composer-chip")).toEqual([]);
  });
});

describe("text from elsewhere", () => {
  test("takes the place of the draft, once, with the focus", () => {
    const chat = open();
    write(box(), "draft");
    act(() => chat.ui.getState().compose("SELECT 1"));
    expect(box().value).toBe("SELECT 1");
    expect(document.activeElement).toBe(box());
    expect(chat.ui.getState().composerText).toBeUndefined();
    page?.show(<Composer room="other" />);
    expect(box().value).toBe("");
  });

  test("is put in at the cursor, apart from the name before it", () => {
    const chat = open();
    write(box(), "SELECT");
    act(() => chat.ui.getState().compose("orders", "insert"));
    act(() => chat.ui.getState().compose("orders", "insert"));
    expect(box().value).toBe("SELECT orders orders");
    act(() => chat.ui.getState().compose("", "insert"));
    expect(box().value).toBe("SELECT orders orders");
  });

  test("waits for a composer that comes later", () => {
    const chat = open();
    page?.show(null);
    act(() => chat.ui.getState().compose("later"));
    page?.show(<Composer room="demo" />);
    expect(box().value).toBe("later");
  });

  test("goes to the composer that had the focus last, as long as it is there", () => {
    const chat = open();
    const both = (
      <>
        <Composer room="demo" />
        <Composer room="demo" threadId="t" />
      </>
    );
    page?.show(both);
    act(() => boxOf(page as Page, 1).focus());
    act(() => chat.ui.getState().compose("to the thread"));
    expect(boxOf(page as Page, 1).value).toBe("to the thread");
    expect(box().value).toBe("");
    page?.show(<Composer room="demo" />);
    act(() => chat.ui.getState().compose("to the room"));
    expect(box().value).toBe("to the room");
    expect(composingOf(chat).getState().threadId).toBeUndefined();
  });
});

describe("typing", () => {
  function told(chat: FakeChat): boolean[] {
    return vi.mocked(chat.store.getState().setTyping).mock.calls.map(([, isTyping]) => isTyping);
  }

  test("is told 300 ms after the first key, and ended by sending", async () => {
    vi.useFakeTimers();
    const chat = open();
    write(box(), "hel");
    act(() => void vi.advanceTimersByTime(300));
    expect(told(chat)).toEqual([true]);
    await press(box(), "Enter");
    expect(told(chat)).toEqual([true, false]);
  });

  test.each<[string, () => void]>([
    ["an empty box", () => paste(box(), "")],
    ["leaving the box", () => act(() => box().blur())],
    ["leaving the room", () => page?.show(<Composer room="other" />)],
    ["leaving the page", () => page?.show(null)],
    ["silence", () => act(() => void vi.advanceTimersByTime(4_000))],
  ])("is ended by %s", (_, leave) => {
    vi.useFakeTimers();
    const chat = open();
    write(box(), "hel");
    act(() => void vi.advanceTimersByTime(300));
    leave();
    expect(told(chat)).toEqual([true, false]);
  });

  test("is not told of text that was not typed", () => {
    vi.useFakeTimers();
    const chat = open();
    act(() => chat.ui.getState().compose("from elsewhere"));
    act(() => void vi.advanceTimersByTime(10_000));
    expect(told(chat)).toEqual([]);
  });
});
