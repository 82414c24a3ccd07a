import { act } from "react";
import { describe, expect, test, vi } from "vitest";
import { TOUCH } from "../../src/hooks/useMedia";
import { MessageRow } from "../../src/components/MessageRow";
import type { ChatState } from "../../src/stores/state";
import type { ChatMessage } from "../../src/websocket/types";
import { fakeChat, fakeMessage, fakeRoom, type FakeChat } from "../fakes";
import { holding } from "./media";
import { button, click, draw, enter, press, settle, type } from "./rendering";

interface Drawn {
  chat: FakeChat;
  host: HTMLElement;
  row: HTMLElement;
}

function drawn(
  over: Partial<ChatMessage> = {},
  state: Partial<ChatState> = {},
  before?: ChatMessage,
): Drawn {
  const message = fakeMessage(2, over);
  const chat = fakeChat(before === undefined ? [message] : [before, message], state);
  const host = draw(
    chat,
    <MessageRow
      id={message.messageId}
      previousId={before?.messageId}
      isWhole
      line={undefined}
      lineLook="new"
      isMarked={false}
      isActive={false}
      isInThread={false}
      setSize={9}
    />,
  );
  return { chat, host, row: host.querySelector("article") as HTMLElement };
}

const mine = { userId: "ada", name: "Ada" };

describe("a message", () => {
  test("says whose it is, when it was written, and its place among all", () => {
    const { row } = drawn();
    expect(row.getAttribute("aria-label")).toMatch(/^Bob, \d/);
    expect(row.getAttribute("aria-posinset")).toBe("2");
    expect(row.getAttribute("aria-setsize")).toBe("9");
    const time = row.querySelector("time");
    expect(time?.title).toContain("2025");
    expect(time?.dateTime).toMatch(/^2025-/);
  });

  test("of the server itself has a badge, and of a user with its name has none", () => {
    const named = { name: "Administrator" };
    const real = drawn({ ...named, userId: "chatd:system" }).row;
    expect(real.querySelector("header .answer-badge")?.textContent).toBe("from the server");
    expect(real.getAttribute("aria-label")).toMatch(/, from the server$/);
    const forged = drawn({ ...named, userId: "system" }).row;
    expect(forged.querySelector(".answer-badge")).toBeNull();
    expect(forged.getAttribute("aria-label")).not.toContain("server");
  });

  test("stands below the name of the same author", () => {
    const { row } = drawn({}, {}, fakeMessage(1));
    expect(row.querySelector("header")).toBeNull();
    expect(row.classList).toContain("is-following");
  });

  test("begins a day with a line", () => {
    const { host } = drawn({}, {}, fakeMessage(1, { timestamp: 1_700_000_000_000 }));
    expect(host.querySelector("[role=separator]")?.textContent).toContain("2025");
  });

  test("of the user’s own says how far it is, in words", () => {
    const words: [ChatMessage["status"], string][] = [
      ["pending", "Waiting to be sent"],
      ["sending", "Sending"],
      ["sent", "Sent"],
      ["delivered", "Somebody has it"],
      ["error", "Not sent"],
    ];
    for (const [status, said] of words) {
      const { row } = drawn({ ...mine, status });
      expect(row.querySelector(".message-end .sr")?.textContent).toBe(said);
    }
  });

  test("of others has no state, and the same place for it", () => {
    const { row } = drawn({ status: "delivered" });
    expect(row.querySelector(".message-end")?.childElementCount).toBe(0);
  });

  test("that mentions the user is marked, and so is who else is mentioned", () => {
    const { row } = drawn(
      { content: "@Ada and @Bob B.", mentions: ["ada", "bob"] },
      { names: new Map([["bob", "Bob B."]]) },
    );
    expect(row.classList).toContain("mentions-me");
    const marks = [...row.querySelectorAll(".message-mention")];
    expect(marks.map((mark) => [mark.textContent, mark.className])).toEqual([
      ["@Ada", "message-mention is-me"],
      ["@Bob B.", "message-mention"],
    ]);
  });

  test("that was edited says so, with the time", () => {
    const { row } = drawn({ editedAt: 1_750_000_100_000, rev: 1 });
    expect(row.querySelector(".message-edited")?.getAttribute("title")).toContain("2025");
  });

  test("that was deleted leaves its place, and nothing to copy or react to", async () => {
    const { row } = drawn({ ...mine, content: "", deletedAt: 1 });
    expect(row.textContent).toContain("This message was deleted.");
    await enter(row);
    const names = [...row.querySelectorAll(".message-toolbar button")].map((one) =>
      one.getAttribute("aria-label"),
    );
    expect(names).toEqual(["Reply in a thread", "Copy link"]);
  });

  test("that is damaged says what the server says", () => {
    expect(drawn({ status: "damaged", error: "Record 7 is lost." }).row.textContent).toContain(
      "Record 7 is lost.",
    );
    expect(drawn({ status: "damaged", error: null }).row.textContent).toContain("cannot be read");
  });
});

describe("content", () => {
  const hostile = [
    "<img src=x onerror=alert(1)><script>alert(1)</script>",
    "[a](javascript:alert(1)) ![b](//x/y.png) https://bank.example@evil.example",
    "```\nhttps://example.com\n```",
    "SELECT 'https://example.com'",
    "```sql\n<svg onload=alert(1)>\n```",
    "SELECT '<b>' FROM \"</code><script>\"",
    "\u202Egnp.exe \u0000 &lt;",
  ];
  test.each(hostile)("%j is text and nothing else", (content) => {
    const { row } = drawn({ content, name: "<b>Eve</b>" });
    const shown = row.querySelector(".message-main");
    expect(shown?.querySelector("img, script, svg, a, iframe, b")).toBeNull();
    expect(row.querySelector(".message-author")?.textContent).toBe("<b>Eve</b>");
    const inside = content.replace(/```(?:sql)?\n?/g, "").trim();
    expect(row.querySelector(".message-body")?.textContent).toContain(inside);
  });

  test("has its addresses as links, written as they are", () => {
    const { row } = drawn({ content: "See https://a.example/@ada, @ada.", mentions: ["ada"] });
    const [link, ...others] = row.querySelectorAll("a");
    expect(others).toEqual([]);
    expect(link?.textContent).toBe("https://a.example/@ada");
    expect(link?.getAttribute("href")).toBe("https://a.example/@ada");
    expect(link?.rel).toBe("noopener noreferrer nofollow");
    expect(link?.target).toBe("_blank");
    expect(row.querySelector(".message-text")?.textContent).toBe(
      "See https://a.example/@ada, @ada.",
    );
    expect(row.querySelector(".message-mention")?.textContent).toBe("@ada");
  });

  test("that is folded has no link to an address that is cut", () => {
    const { row } = drawn({ content: `${"x ".repeat(885)}https://a.example/${"y".repeat(99)}` });
    expect(row.querySelector(".message-text")?.textContent).toMatch(/https:\/\/a.example\/y+…$/);
    expect(row.querySelector("a")).toBeNull();
  });

  test("that is SQL is coloured", () => {
    const { row } = drawn({ content: "SELECT 'a' FROM b" });
    expect(row.querySelector(".message-code .sql-word")?.textContent).toBe("SELECT");
    expect(row.querySelector(".sql-text")?.textContent).toBe("'a'");
  });

  test("of many lines is folded, unfolded, and remembered so", async () => {
    const lines = Array.from({ length: 80 }, (_, at) => `line ${at}`).join("\n");
    const { row } = drawn({ content: `\`\`\`\n${lines}\n\`\`\`` });
    expect(row.textContent).not.toContain("line 12");
    await click(button(row, "Show all 80 lines"));
    expect(row.textContent).toContain("line 79");
    expect(button(row, "Show less").getAttribute("aria-expanded")).toBe("true");
  });

  test("of one endless line is folded too", async () => {
    const { row } = drawn({ content: "word ".repeat(2_000) });
    expect(row.querySelector(".message-text")?.textContent?.length).toBeLessThan(2_000);
    await click(button(row, "Show the whole message"));
    expect(row.querySelector(".message-text")?.textContent?.length).toBe(10_000);
  });
});

describe("a message that was not sent", () => {
  const refusal = { code: "content_too_long", message: "Too long.", retryable: true } as const;
  const failed = { ...mine, status: "error", refusal } as const;

  test("says why, and can be tried again", async () => {
    const { chat, row } = drawn(failed);
    expect(row.textContent).toContain("Too long.");
    await click(button(row, "Try again"));
    expect(chat.store.getState().retryMessage).toHaveBeenCalledWith(fakeMessage(2).messageId);
  });

  test("is not tried again where that is of no use", () => {
    const { row } = drawn({ ...failed, refusal: { ...refusal, retryable: false } });
    expect(() => button(row, "Try again")).toThrow();
  });

  test("can only be deleted where its author may not write any more", () => {
    const { row } = drawn(failed, { rooms: [fakeRoom("demo", { role: "viewer" })] });
    const note = row.querySelector(".message-failed") as HTMLElement;
    expect([...note.querySelectorAll("button")].map((one) => one.textContent)).toEqual(["Delete"]);
  });

  test("goes back into the thread that it was for", async () => {
    const { chat, row } = drawn({ ...failed, threadId: "t" });
    await click(button(row, "Edit"));
    await settle();
    expect(chat.ui.getState().panel).toEqual({ kind: "thread", threadId: "t" });
    expect(chat.ui.getState().composerText?.at).toEqual({ threadId: "t" });
  });

  test("goes back into the composer to be edited", async () => {
    const { chat, row } = drawn(failed, { discardMessage: vi.fn(async () => "my words") });
    await click(button(row, "Edit"));
    await settle();
    expect(chat.ui.getState().composerText?.text).toBe("my words");
  });

  test("is deleted after one question", async () => {
    const { chat, row } = drawn(failed);
    await click(button(row, "Delete"));
    expect(chat.store.getState().discardMessage).not.toHaveBeenCalled();
    expect(row.textContent).toContain("Delete what you wrote?");
    await click(button(row, "Keep"));
    await click(button(row, "Delete"));
    await click(button(row.querySelector(".confirm") as HTMLElement, "Delete"));
    expect(chat.store.getState().discardMessage).toHaveBeenCalledOnce();
  });
});

describe("a hint", () => {
  test("of what is nearly SQL runs it", async () => {
    const { chat, row } = drawn({
      ...mine,
      content: "selct &lt; 1",
      raw: "selct < 1",
      hint: { code: "near_sql", message: "Did you mean SELECT?" },
    });
    expect(row.textContent).toContain("Did you mean SELECT?");
    await click(button(row, "Run it"));
    expect(chat.store.getState().sendMessage).toHaveBeenCalledWith("/sql selct < 1", {
      room: "demo",
    });
  });

  test("that knows the word which was meant puts it into the box", async () => {
    const words = "SELEC is no word of SQL; did you mean SELECT?";
    const { chat, row } = drawn({
      ...mine,
      content: "SELEC 1",
      hint: { code: "near_sql", message: words },
    });
    expect(row.textContent).not.toContain("Run it");
    await click(button(row, "Use SELECT"));
    expect(chat.ui.getState().composerText?.text).toBe("SELECT 1");
    expect(chat.store.getState().sendMessage).not.toHaveBeenCalled();
  });

  test("without a sentence has that of its code; of talk and of unknown codes it says nothing", () => {
    expect(drawn({ hint: { code: "no_database" } }).row.textContent).toContain("No database");
    expect(drawn({ hint: { code: "talk" } }).row.querySelector(".message-hint")).toBeNull();
    const unknown = { hint: { code: "toString" } } as unknown as Partial<ChatMessage>;
    expect(drawn(unknown).row.querySelector(".message-hint")).toBeNull();
  });

  test("that cannot be run now loses nothing", async () => {
    const { chat, row } = drawn(
      { ...mine, content: "selct 1", hint: { code: "near_sql" } },
      { sendMessage: vi.fn().mockRejectedValue(new Error("full")) },
    );
    await click(button(row, "Run it"));
    expect(chat.store.getState().notify).toHaveBeenCalledWith(
      expect.objectContaining({ kind: "error", kept: "/sql selct 1" }),
    );
  });
});

describe("the toolbar", () => {
  async function labels(over: Partial<ChatMessage>, can?: (feature: string) => boolean) {
    const { row } = drawn(over, can === undefined ? {} : { can });
    expect(row.querySelector(".message-toolbar")).toBeNull();
    await enter(row);
    return [...row.querySelectorAll(".message-toolbar > button")].map((one) =>
      one.getAttribute("aria-label"),
    );
  }

  test("offers a viewer of the room nothing that writes", async () => {
    const { row } = drawn(mine, { rooms: [fakeRoom("demo", { role: "viewer" })] });
    await enter(row);
    const names = [...row.querySelectorAll(".message-toolbar button")].map((one) =>
      one.getAttribute("aria-label"),
    );
    expect(names).toEqual(["Copy message", "Copy link"]);
  });

  test("has no key by which a viewer asks again", async () => {
    const viewer = drawn({ userId: "db:demo" }, { rooms: [fakeRoom("demo", { role: "viewer" })] });
    await press(viewer.row, "e");
    expect(viewer.chat.ui.getState().composerText).toBeUndefined();
  });

  test("has all for a message of the user’s own", async () => {
    expect(await labels(mine)).toEqual([
      "React",
      "Reply in a thread",
      "Copy message",
      "Copy link",
      "Edit",
      "Delete",
    ]);
  });

  test("does not edit what others and databases wrote", async () => {
    const all = ["React", "Reply in a thread", "Copy message", "Copy link"];
    expect(await labels({})).toEqual(all);
    expect(await labels({ userId: "db:demo" })).toEqual(all);
  });

  test("hides what an older server lacks", async () => {
    expect(await labels(mine, () => false)).toEqual(["Copy message", "Copy link"]);
  });

  test("of a message that waits to be sent can only copy", async () => {
    const waiting = fakeMessage(2, { ...mine, status: "pending" });
    delete waiting.seq;
    const { chat, row } = drawn({ ...mine, status: "pending" });
    await act(async () =>
      chat.store.setState({ messages: new Map([[waiting.messageId, waiting]]) }),
    );
    await enter(row);
    const names = [...row.querySelectorAll(".message-toolbar button")].map((one) =>
      one.getAttribute("aria-label"),
    );
    expect(names).toEqual(["Copy message"]);
  });

  test("is there for the focus, but not for a finger that has used something in the message", () => {
    const isShown = (at: (row: HTMLElement) => HTMLElement | null) => {
      const { row } = drawn({ content: "see https://example.com" });
      act(() => at(row)?.focus());
      return row.querySelector(".message-toolbar") !== null;
    };
    const link = (row: HTMLElement) => row.querySelector("a");
    expect(isShown(link)).toBe(true);
    holding(TOUCH);
    try {
      expect(isShown(link)).toBe(false);
      expect(isShown((row) => row)).toBe(true);
    } finally {
      vi.unstubAllGlobals();
    }
  });

  test("deletes after one question", async () => {
    const { chat, row } = drawn(mine);
    await enter(row);
    await click(button(row, "Delete"));
    expect(chat.store.getState().deleteMessage).not.toHaveBeenCalled();
    await click(button(row.querySelector(".confirm") as HTMLElement, "Delete"));
    expect(chat.store.getState().deleteMessage).toHaveBeenCalledWith(fakeMessage(2).messageId);
  });

  test("copies what was written, exactly", async () => {
    const writeText = vi.fn(async () => {});
    vi.stubGlobal("navigator", { clipboard: { writeText } });
    const { chat, row } = drawn({ content: "a < b", raw: "a <b" });
    await enter(row);
    await click(button(row, "Copy message"));
    await settle();
    expect(writeText).toHaveBeenCalledWith("a <b");
    expect(chat.ui.getState().announcement?.text).toBe("Copied.");
    expect(button(row, "Copied")).toBeDefined();
  });

  test("moves among its buttons by arrows, and Escape goes back to the message", async () => {
    const { row } = drawn(mine);
    await act(async () => row.focus());
    await press(row, "Enter");
    expect(document.activeElement?.getAttribute("aria-label")).toBe("React");
    await press(document.activeElement as Element, "ArrowRight");
    expect(document.activeElement?.getAttribute("aria-label")).toBe("Reply in a thread");
    const event = await press(document.activeElement as Element, "Escape");
    expect(event.defaultPrevented).toBe(true);
    expect(document.activeElement).toBe(row);
  });
});

describe("the keys of a message", () => {
  test("r opens its thread", async () => {
    const { chat, row } = drawn();
    await press(row, "r");
    expect(chat.ui.getState().panel).toEqual({
      kind: "thread",
      threadId: fakeMessage(2).messageId,
    });
  });

  test("e edits a message of the user’s own, and nobody else’s", async () => {
    const own = drawn(mine);
    await press(own.row, "e");
    expect(own.chat.ui.getState().editing).toBe(fakeMessage(2).messageId);
    const other = drawn();
    await press(other.row, "e");
    expect(other.chat.ui.getState().editing).toBeUndefined();
  });

  test("e at an answer puts its statement into the composer", async () => {
    const answer = {
      state: "done",
      rowCount: 0,
      truncated: false,
      elapsedMs: 1,
      cached: false,
      columns: [],
      rows: [],
      statement: "SELECT 1",
    } as const;
    const { chat, row } = drawn({ userId: "db:demo", answer: { ...answer, columns: [] } });
    await press(row, "e");
    expect(chat.ui.getState().composerText?.text).toBe("SELECT 1");
  });

  test("letters with Ctrl stay the browser’s, and letters in a box are text", async () => {
    const { chat, row } = drawn(mine);
    await press(row, "c", { ctrlKey: true });
    await press(row, "e");
    const box = row.querySelector("textarea") as HTMLTextAreaElement;
    await press(box, "r");
    expect(chat.ui.getState().panel).toBeUndefined();
  });
});

describe("editing in place", () => {
  async function editing(over: Partial<ChatMessage> = {}, state: Partial<ChatState> = {}) {
    const all = drawn({ ...mine, content: "old words", ...over }, state);
    await act(async () => all.chat.ui.getState().startEditing(fakeMessage(2).messageId));
    return { ...all, box: all.row.querySelector("textarea") as HTMLTextAreaElement };
  }

  test("Enter saves, and the message has the focus", async () => {
    const { chat, row, box } = await editing();
    expect(document.activeElement).toBe(box);
    await type(box, "new words");
    await press(box, "Enter");
    await settle();
    expect(chat.store.getState().editMessage).toHaveBeenCalledWith(
      fakeMessage(2).messageId,
      "new words",
    );
    expect(chat.ui.getState().editing).toBeUndefined();
    expect(document.activeElement).toBe(row);
  });

  test("Enter breaks the line with Shift, and while a word is composed", async () => {
    const { chat, box } = await editing();
    await type(box, "new");
    await press(box, "Enter", { shiftKey: true });
    await press(box, "Enter", { isComposing: true });
    await press(box, "Enter", { keyCode: 229 }); // so in Safari
    await press(box, "Escape", { keyCode: 229 });
    expect(chat.ui.getState().editing).toBeDefined();
    expect(chat.store.getState().editMessage).not.toHaveBeenCalled();
  });

  test("Escape leaves it as it was, and nobody else hears the key", async () => {
    const { chat, host, box } = await editing();
    const heard = vi.fn();
    host.addEventListener("keydown", heard);
    await type(box, "new words");
    await press(box, "Escape");
    expect(chat.ui.getState().editing).toBeUndefined();
    expect(chat.store.getState().editMessage).not.toHaveBeenCalled();
    expect(heard).not.toHaveBeenCalled();
  });

  test("keeps what was typed while another message is edited", async () => {
    const { chat, row, box } = await editing();
    await type(box, "new words");
    const edit = (id: string) => act(async () => chat.ui.getState().startEditing(id));
    await edit("another");
    await edit(fakeMessage(2).messageId);
    const again = row.querySelector("textarea");
    expect(again?.value).toBe("new words");
    expect(document.activeElement).toBe(again);
  });

  test("takes nothing more while it is saved", async () => {
    const { box } = await editing({}, { editMessage: vi.fn(() => new Promise<boolean>(() => {})) });
    await type(box, "new words");
    await press(box, "Enter");
    expect(box.readOnly).toBe(true);
  });

  test("begins with what was written, and saves nothing where nothing was changed", async () => {
    const { chat, box } = await editing({ content: "a < b", raw: "a <b" });
    expect(box.value).toBe("a <b");
    await press(box, "Enter");
    expect(chat.store.getState().editMessage).not.toHaveBeenCalled();
    expect(chat.ui.getState().editing).toBeUndefined();
  });

  test("of a question says that it is not asked again, and asks what it says now", async () => {
    const context = { tables: ["orders"] };
    const { chat, row, box } = await editing({ content: "SELECT 1", context });
    const answer = fakeMessage(3, { userId: "db:demo", replyTo: fakeMessage(2).messageId });
    chat.store.setState(({ messages }) => ({
      messages: new Map(messages).set(answer.messageId, answer),
    }));
    await type(box, "SELECT 2");
    await press(box, "Enter");
    await settle();
    act(() =>
      chat.store.setState(({ messages }) => ({
        messages: new Map(messages).set(
          fakeMessage(2).messageId,
          fakeMessage(2, { ...mine, content: "SELECT 2", context }),
        ),
      })),
    );
    expect(row.textContent).toContain("An edited question is not asked again.");
    await click(button(row, "Ask again"));
    expect(chat.store.getState().sendMessage).toHaveBeenCalledExactlyOnceWith("SELECT 2", {
      room: "demo",
      context,
    });
    expect(row.textContent).not.toContain("An edited question");
  });

  test("of a question that may write asks it only by a second click, and the note can be closed", async () => {
    const { chat, row } = drawn({ ...mine, context: { config: { readOnly: false } } });
    act(() => chat.ui.getState().questionEdited(fakeMessage(2).messageId));
    await click(button(row, "Ask again"));
    expect(chat.store.getState().sendMessage).not.toHaveBeenCalled();
    expect(button(row, "It may write. Ask again?")).toBeDefined();
    await click(button(row, "Close this note"));
    expect(row.textContent).not.toContain("An edited question");
  });

  test("of talk says nothing of questions", async () => {
    const { chat, row, box } = await editing();
    await type(box, "new words");
    await press(box, "Enter");
    await settle();
    expect(chat.ui.getState().edited).toBeUndefined();
    expect(row.textContent).not.toContain("An edited question");
  });

  test("keeps the text where it was not saved", async () => {
    const { chat, row, box } = await editing({}, { editMessage: vi.fn(async () => false) });
    await type(box, "new words");
    await press(box, "Enter");
    await settle();
    expect(row.textContent).toContain("It was not saved.");
    expect(row.querySelector("textarea")?.value).toBe("new words");
    expect(chat.ui.getState().editing).toBeDefined();
  });

  test("tells of a change from elsewhere, and takes it over", async () => {
    const { chat, row, box } = await editing();
    await type(box, "my words");
    await act(async () => {
      const message = fakeMessage(2, { ...mine, content: "their words", rev: 4, editedAt: 1 });
      chat.store.setState({ messages: new Map([[message.messageId, message]]) });
    });
    expect(row.querySelector("[role=alert]")?.textContent).toContain("their words");
    expect(row.querySelector("textarea")?.value).toBe("my words");
    await click(button(row, "Take that text"));
    expect(row.querySelector("textarea")?.value).toBe("their words");
  });

  test("cannot save nothing, nor more than a message may hold", async () => {
    const { row, box } = await editing({}, { limits: { ...fakeLimits, contentChars: 3 } });
    await type(box, " ");
    expect(button(row, "Save").disabled).toBe(true);
    await type(box, "🙂🙂🙂");
    expect(button(row, "Save").disabled).toBe(false);
    await type(box, "🙂🙂🙂🙂🙂");
    expect(row.textContent).toContain("Too long by 2.");
  });
});

const fakeLimits = {
  contentChars: 10_000,
  historyPage: 200,
  messagesPerMinute: 30,
  typingPerMinute: 10,
  maxPayload: 1_000_000,
};

describe("reactions", () => {
  const reactions = [
    { emoji: "👍", users: ["bob", "ada"] },
    { emoji: "🎉", users: ["bob"] },
  ];

  test("say who, and are joined and taken off", async () => {
    const { chat, row } = drawn({ reactions }, { names: new Map([["bob", "Bob"]]) });
    const [mineToo, other] = [...row.querySelectorAll<HTMLButtonElement>(".reaction")];
    expect(mineToo?.textContent).toBe("👍2, you and Bob");
    expect(mineToo?.getAttribute("aria-pressed")).toBe("true");
    await click(mineToo as HTMLElement);
    await click(other as HTMLElement);
    const { react } = chat.store.getState();
    expect(react).toHaveBeenNthCalledWith(1, fakeMessage(2).messageId, "👍", false);
    expect(react).toHaveBeenNthCalledWith(2, fakeMessage(2).messageId, "🎉", true);
  });

  test("are only shown by an older server’s page", () => {
    const { row } = drawn({ reactions }, { can: () => false });
    expect(row.querySelector<HTMLButtonElement>(".reaction")?.disabled).toBe(true);
    expect(row.querySelector("[aria-label=React]")).toBeNull();
  });

  test("are picked by keys: arrows in the grid, then any other emoji", async () => {
    const { chat, row } = drawn({ reactions });
    await click(button(row, "React"));
    const picker = row.querySelector(".reaction-picker") as HTMLElement;
    expect(document.activeElement?.getAttribute("aria-label")).toBe("Thumbs up");
    await press(document.activeElement as Element, "ArrowRight");
    expect(document.activeElement?.getAttribute("aria-label")).toBe("Heart");
    await press(document.activeElement as Element, "ArrowDown");
    await press(document.activeElement as Element, "ArrowDown");
    const input = picker.querySelector("input") as HTMLInputElement;
    expect(document.activeElement).toBe(input);
    expect(button(picker, "Add").disabled).toBe(true);
    await type(input, "🦊");
    await click(button(picker, "Add"));
    expect(chat.store.getState().react).toHaveBeenCalledWith(fakeMessage(2).messageId, "🦊", true);
    expect(row.querySelector(".reaction-picker")).toBeNull();
    expect(document.activeElement).toBe(button(row, "React"));
  });

  test("take no focus back from where somebody went meanwhile", async () => {
    const { host, row } = drawn({ reactions });
    await click(button(row, "React"));
    const picker = row.querySelector(".reaction-picker") as HTMLElement;
    const elsewhere = host.appendChild(document.createElement("input"));
    elsewhere.focus();
    const closed = Object.assign(new Event("toggle"), { newState: "closed" });
    await act(async () => void picker.dispatchEvent(closed));
    expect(row.querySelector(".reaction-picker")).toBeNull();
    expect(document.activeElement).toBe(elsewhere);
  });

  test("are left by Escape, which nobody else hears", async () => {
    const { host, row } = drawn({ reactions });
    const heard = vi.fn();
    host.addEventListener("keydown", heard);
    await click(button(row, "React"));
    await press(document.activeElement as Element, "Escape");
    expect(row.querySelector(".reaction-picker")).toBeNull();
    expect(heard).not.toHaveBeenCalled();
  });
});

describe("threads", () => {
  test("a database among those who reply has its sign, and no initials of its id", () => {
    const { row } = drawn({ replies: { count: 1, lastSeq: 9, users: ["db:demo"] } });
    const replies = row.querySelector(".message-replies") as HTMLElement;
    expect(replies.querySelector(".is-small.is-database svg")).not.toBeNull();
    expect(replies.textContent).toBe("1 reply, from the database. Open the thread.");
  });

  test("an opener tells how many replies it has, and opens them", async () => {
    const { chat, row } = drawn(
      { replies: { count: 3, lastSeq: 9, users: ["bob"] } },
      { names: new Map([["bob", "Bob"]]) },
    );
    expect(row.querySelector(".message-replies .is-small")?.textContent).toBe("B");
    await click(button(row, /3 replies/));
    expect(chat.ui.getState().panel?.kind).toBe("thread");
  });

  test("a reply in the room tells to what", async () => {
    const root = fakeMessage(1, { content: "who bought\nmost?" });
    const { chat, row } = drawn({ threadId: root.messageId }, {}, root);
    await click(button(row, "In the thread of “who bought most?”"));
    expect(chat.ui.getState().panel).toEqual({ kind: "thread", threadId: root.messageId });
  });
});
