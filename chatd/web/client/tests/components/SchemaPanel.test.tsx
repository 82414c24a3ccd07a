import { act } from "react";
import { afterEach, describe, expect, test, vi } from "vitest";
import { SchemaPanel } from "../../src/components/SchemaPanel";
import { composingOf } from "../../src/composer/composing";
import { TABLES_MAX } from "../../src/composer/question";
import type { ChatState, SchemaView } from "../../src/stores/state";
import type { RoomDatabase } from "../../src/websocket/wire.gen";
import { buttonNamed, click, openPage, press, texts, type Page } from "../composer/page";
import { NARROW } from "../../src/hooks/useMedia";
import { holding } from "./media";
import { fakeChat, fakeRoom, type FakeChat } from "../fakes";

const DATABASE: RoomDatabase = { kind: "sqlite", readOnly: true, dryRun: true, commands: [] };
const SCHEMA: SchemaView = {
  tables: [
    { name: "orders", kind: "table", columns: [{ name: "order", type: "INTEGER" }] },
    { name: "Old Orders", kind: "view", columns: [{ name: "id", type: null }] },
  ],
  truncated: false,
  readAt: 1_750_000_000_000,
};

let page: Page;
afterEach(() => page.leave());

async function open(
  schema: SchemaView | undefined,
  over: Partial<ChatState> = {},
): Promise<FakeChat> {
  const chat = fakeChat([], {
    rooms: [fakeRoom("demo", { database: DATABASE })],
    schemas: new Map(schema === undefined ? [] : [["demo", schema]]),
    ...over,
  });
  page = openPage(chat, <SchemaPanel room="demo" />);
  await act(async () => {});
  return chat;
}

function rows(): string[] {
  return texts(page, ".schema-name").map((text) => text.trim());
}

function row(at: number): HTMLElement {
  return page.root.querySelectorAll<HTMLElement>("[role=treeitem]")[at] as HTMLElement;
}

function composed(chat: FakeChat): string | undefined {
  return chat.ui.getState().composerText?.text;
}

async function filter(text: string): Promise<void> {
  const input = page.root.querySelector("input[type=search]") as HTMLInputElement;
  await act(async () => {
    Object.getOwnPropertyDescriptor(HTMLInputElement.prototype, "value")?.set?.call(input, text);
    input.dispatchEvent(new InputEvent("input", { bubbles: true }));
  });
}

describe("the panel of tables", () => {
  test("reads the tables when it is opened, and says so while it does", async () => {
    const read = Promise.resolve();
    const loadSchema = vi.fn(() => read);
    const chat = fakeChat([], { rooms: [fakeRoom("demo", { database: DATABASE })], loadSchema });
    page = openPage(chat, <SchemaPanel room="demo" />);
    expect(texts(page, "p")).toContain("Reading the tables…");
    await act(async () => chat.store.setState({ schemas: new Map([["demo", SCHEMA]]) }));
    expect(loadSchema).toHaveBeenCalledWith("demo");
    expect(rows()).toEqual(["orders", "Old Orders view"]);
    expect(texts(page, "p")).toContain("2 tables.");
  });

  test("says why it has none, and keeps what was known", async () => {
    await open({ ...SCHEMA, readAt: 0, failure: "The database does not answer." });
    expect(texts(page, "[role=alert]")).toEqual(["The database does not answer."]);
    expect(rows()).toHaveLength(2);
    page.leave();
    await open({ tables: [], truncated: false, readAt: 0, failure: "No." });
    expect(page.root.textContent).not.toContain("There are no tables");
    page.leave();
    await open({ tables: [], truncated: false, readAt: 1 });
    expect(page.root.textContent).toContain("There are no tables to show.");
  });

  test("says where the server has left something out", async () => {
    await open({ ...SCHEMA, truncated: true });
    expect(page.root.textContent).toContain("The database has more; they are left out here.");
  });

  test("reads again when it is told to, and says where that brings nothing", async () => {
    const loadSchema = vi.fn(async () => {});
    await open(SCHEMA, { loadSchema });
    await click(buttonNamed(page, "Refresh"));
    expect(loadSchema).toHaveBeenCalledTimes(2);
    expect(page.root.textContent).toContain("That is recent enough to keep.");
  });

  test("writes a name at the cursor, in quotes where it needs them", async () => {
    const chat = await open(SCHEMA);
    await click(row(1));
    expect(composed(chat)).toBe('"Old Orders"');
    expect(chat.ui.getState().composerText?.how).toBe("insert");
    await click(buttonNamed(page, "Show the columns of orders"));
    expect(rows()).toEqual(["orders", "order INTEGER", "Old Orders view"]);
    await click(row(1));
    expect(composed(chat)).toBe('"order"');
  });

  test("shows a viewer what there is, and offers nothing to write", async () => {
    const chat = await open(SCHEMA, {
      rooms: [fakeRoom("demo", { database: DATABASE, role: "viewer" })],
    });
    expect(page.root.textContent).not.toContain("at the cursor");
    expect(page.root.querySelector(".schema-add")).toBeNull();
    await click(row(0));
    expect(composed(chat)).toBeUndefined();
    expect(rows()).toEqual(["orders", "order INTEGER", "Old Orders view"]);
  });

  test("has words in its filter that have room there", async () => {
    holding(NARROW);
    await open(SCHEMA);
    vi.unstubAllGlobals();
    expect(page.root.querySelector("input")?.placeholder).toBe("Filter");
  });

  test("is narrowed by what is typed", async () => {
    await open(SCHEMA);
    await filter("old");
    expect(rows()).toEqual(["Old Orders view"]);
    await filter("xyz");
    expect(texts(page, "p")).toContain("No table or column matches “xyz”.");
  });

  test("is a tree for the keyboard, with one row in the order of tabs", async () => {
    const chat = await open(SCHEMA);
    const tabs = () => [...page.root.querySelectorAll("[role=treeitem][tabindex='0']")];
    expect(tabs()).toEqual([row(0)]);
    act(() => row(0).focus());
    await press(row(0), "ArrowRight");
    expect(row(0).getAttribute("aria-expanded")).toBe("true");
    await press(row(0), "ArrowRight");
    expect(document.activeElement).toBe(row(1));
    expect(row(1).getAttribute("aria-level")).toBe("2");
    await press(row(1), "ArrowLeft");
    expect(document.activeElement).toBe(row(0));
    await press(row(0), "ArrowLeft");
    expect(row(0).getAttribute("aria-expanded")).toBe("false");
    await press(row(0), "End");
    expect(tabs()).toEqual([row(1)]);
    await press(row(1), "Enter");
    expect(composed(chat)).toBe('"Old Orders"');
    expect(await press(row(1), "Escape")).toBe(false);
  });

  test("lets the next question touch a table only, by button and by +", async () => {
    const chat = await open(SCHEMA);
    await click(buttonNamed(page, "Let the next question touch orders"));
    await press(row(1), "ArrowDown");
    await press(row(1), "+");
    const { questionOf, ask } = composingOf(chat).getState();
    expect(questionOf({ room: "demo" }).tables).toEqual(["orders", '"Old Orders"']);
    expect(composed(chat)).toBeUndefined();
    expect(chat.ui.getState().announcement?.text).toContain("orders");
    const full = Array.from({ length: TABLES_MAX }, (_, at) => `t${at}`);
    act(() => ask({ room: "demo" }, { readOnly: true, dryRun: false, tables: full }));
    await press(row(1), "+");
    expect(chat.store.getState().notify).toHaveBeenCalledWith({
      kind: "error",
      text: "A question can name 100 tables at most.",
    });
  });
});
