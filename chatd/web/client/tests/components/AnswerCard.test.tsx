import { act } from "react";
import { afterEach, describe, expect, test, vi } from "vitest";
import { MEDIUM } from "../../src/hooks/useMedia";
import type { ChatState } from "../../src/stores/state";
import type { Answer, ChatMessage } from "../../src/websocket/types";
import { runningAnswer } from "../answerFakes";
import { fakeRoom } from "../fakes";
import { answered, button, cells, click, names, placeholder, question, showCard } from "./cards";
import type { Shown } from "./cards";
import { holding } from "./media";

let shown: Shown | undefined;
afterEach(async () => {
  vi.useRealTimers();
  await shown?.close();
  shown = undefined;
});

const columns = [
  { name: "name", type: "TEXT" },
  { name: "n", type: null },
];
const rows: Answer["rows"] = [
  ["ten", 10],
  ["nine", 9],
];

/** The card of an answer to a question. */
async function card(
  answer: Partial<Answer>,
  asked: ChatMessage = question("SELECT 1"),
  over: Partial<ChatState> = {},
) {
  shown = await showCard([asked, answered(answer)], over);
  return shown;
}

/** The card of an answer under way. */
async function underWay(live: Parameters<typeof runningAnswer>[0], over: Partial<ChatState> = {}) {
  shown = await showCard([question("SELECT 1"), placeholder()], over, (chat) =>
    chat.answers.put(runningAnswer(live)),
  );
  return shown;
}

test("the head of an answer shows what ran, without comments and the marks of a block", async () => {
  const { page } = await card({}, question("```sql\nSELECT a -- the key\nFROM t\n```"));
  const line = page.querySelector(".answer-line");
  expect(line?.textContent).toBe("SELECT a FROM t");
  expect(line?.querySelector(".sql-comment")).toBeNull();
  expect(line?.querySelectorAll(".sql-word")).toHaveLength(2);
});

test("a table that the question has left out is told with where that was", async () => {
  const message = "The table wide is outside of what this question may touch.";
  const refused = {
    state: "error",
    error: { code: "db_statement_rejected", message, retryable: false },
  } as const;
  const limited = question("SELECT 1 FROM wide", { context: { tables: ["orders"] } });
  const { page, close } = await card(refused, limited);
  expect(page.textContent).toContain("Remove them below the box");
  await close();
  const other = await card(refused, question("SELECT 1 FROM wide"));
  expect(other.page.textContent).not.toContain("below the box");
});

describe("an answer under way", () => {
  test.each<[Parameters<typeof runningAnswer>[0], string]>([
    [{ phase: "queued" }, "Waiting for a free slot"],
    [{ phase: "starting" }, "Starting the database"],
    [{ phase: "running" }, "Running"],
    [{ phase: "fetching", columns, rows, rowCount: 2 }, "2 rows so far"],
  ])("says how far it is, and can be stopped: %j", async (live, text) => {
    const { page, chat } = await underWay(live);
    expect(page.textContent).toContain("Bob asked");
    expect(page.textContent).toContain("SELECT 1");
    expect(page.textContent).toContain(text);
    await click(button(page, "Stop Bob’s question"));
    expect(chat.store.getState().cancelAnswer).toHaveBeenCalledWith(question("").messageId);
  });

  test("is not stopped by a viewer who did not ask", async () => {
    const rooms = [fakeRoom("demo", { role: "viewer" })];
    const { page, close } = await underWay({ phase: "running" }, { rooms });
    expect(page.querySelector(".answer-stop")).toBeNull();
    await close();
    const own = await underWay({ phase: "running" }, { rooms, me: { userId: "bob" } });
    expect(names(own.page)).toContain("Stop");
  });

  test("says when it ends, after five seconds", async () => {
    vi.useFakeTimers();
    const startedAt = performance.now() - 6_000;
    const { page } = await underWay({ startedAt, deadline: startedAt + 30_000 });
    expect(page.textContent).toContain("6.0 s · ends at 30 s");
  });

  test("tells why it could not be stopped, and can be stopped again", async () => {
    const { page } = await underWay(
      {},
      { cancelAnswer: vi.fn(() => Promise.reject(new Error("Only the asker may do that."))) },
    );
    await click(button(page, "Stop Bob’s question"));
    expect(page.textContent).toContain("Only the asker may do that.");
    expect(button(page, "Stop Bob’s question").disabled).toBe(false);
  });

  test("is one's own by its words", async () => {
    shown = await showCard([question("SELECT 1", { userId: "ada" }), placeholder()], {}, (chat) =>
      chat.answers.put(runningAnswer()),
    );
    expect(shown.page.textContent).toContain("You asked");
    expect(names(shown.page)).toContain("Stop");
  });

  test("goes over into the answer in its place", async () => {
    const { page, chat } = await underWay({ phase: "fetching", columns, rows, rowCount: 2 });
    const table = page.querySelector("table");
    const message = answered({ columns, rows, statement: "SELECT 1" });
    await act(async () => {
      const messages = new Map(chat.store.getState().messages).set(message.messageId, message);
      chat.store.setState({ messages });
    });
    expect(page.textContent).toContain("2 rows");
    expect(page.textContent).not.toContain("Stop");
    expect(page.querySelector("table")).toBe(table);
  });

  test("keeps the focus when the button that had it goes away", async () => {
    const { page, chat } = await underWay({});
    await act(async () => button(page, "Stop Bob’s question").focus());
    await act(async () => {
      const message = answered({ columns, rows });
      const messages = new Map(chat.store.getState().messages).set(message.messageId, message);
      chat.store.setState({ messages });
    });
    expect(document.activeElement).toBe(page.querySelector(".answer"));
  });

  test("does not spin for ever: it is said to be lost, and asked for by hand", async () => {
    vi.useFakeTimers();
    let found = () => {};
    const fetchAnswer = vi.fn(() => new Promise<void>((resolve) => (found = resolve)));
    const { page } = await underWay({ deadline: performance.now() + 1_000 }, { fetchAnswer });
    await act(async () => vi.advanceTimersByTime(10_900));
    expect(page.textContent).toContain("Running");
    await act(async () => vi.advanceTimersByTime(200));
    expect(page.textContent).toContain("No end was heard of this answer.");
    expect(page.textContent).not.toContain("Running");
    // The store looks for it.
    expect(fetchAnswer).not.toHaveBeenCalled();
    await click(button(page, "Look again"));
    expect(page.textContent).toContain("No end was heard; asking again.");
    expect(fetchAnswer).toHaveBeenCalledTimes(1);
    await act(async () => found());
    expect(page.textContent).toContain("No end was heard of this answer.");
  });

  test("does not spin without a connection either", async () => {
    vi.useFakeTimers();
    const { page, chat } = await underWay({ deadline: performance.now() }, { isConnected: false });
    await act(async () => vi.advanceTimersByTime(10_100));
    expect(page.textContent).toContain("The page asks again once it is connected.");
    await act(async () => chat.store.setState({ isConnected: true }));
    expect(page.textContent).toContain("No end was heard of this answer.");
  });

  test("is asked for where nothing is known of it", async () => {
    vi.useFakeTimers();
    shown = await showCard([question("SELECT 1"), placeholder()]);
    await act(async () => vi.advanceTimersByTime(1));
    expect(shown.chat.store.getState().fetchAnswer).toHaveBeenCalledTimes(1);
    expect(shown.page.textContent).toContain("No end was heard");
  });
});

describe("an answer that has ended", () => {
  test.each<[string, Partial<Answer>, string[]]>([
    ["done", { columns, rows }, ["2 rows", "145 ms"]],
    ["cached", { columns, rows, cached: true }, ["cached"]],
    [
      "cut",
      { columns, rows, truncated: true, cut: { rows: "max_rows", values: 1, names: 2 } },
      [
        "first 2 only",
        "Cut after 2 rows, the most that one answer shows; there are more in the database.",
        "1 value is shortened to fit.",
        "Names or types of 2 columns are shortened.",
        "Files hold the same rows",
      ],
    ],
    ["no rows", { columns, rows: [] }, ["No rows.", "name", "0 rows"]],
    ["a remark", { columns, rows: [], remark: "NULL equals nothing." }, ["NULL equals nothing."]],
    ["a write", { rowsWritten: 3 }, ["3 rows were changed"]],
    ["cancelled", { state: "cancelled", columns, rows }, ["Stopped after", "2 rows had come"]],
    [
      "timeout",
      { state: "timeout", elapsedMs: 30_000 },
      ["Took longer than 30 s", "Ask for less: add WHERE or LIMIT."],
    ],
    [
      "interrupted",
      { state: "interrupted" },
      ["The server was stopped while the database answered"],
    ],
    [
      "busy",
      { state: "error", error: { code: "db_busy", message: "Too many.", retryable: true } },
      ["Too many.", "db_busy", "Failed"],
    ],
  ])("says so in words: %s", async (_, answer, texts) => {
    const { page } = await card(answer);
    for (const text of texts) expect(page.textContent).toContain(text);
    expect(names(page)).toContain("Run again");
    expect(names(page)).toContain("Edit and run");
  });

  test("shows the rows that came before it was stopped", async () => {
    const { page } = await card({ state: "cancelled", columns, rows });
    expect(cells(page)).toEqual([
      ["ten", "10"],
      ["nine", "9"],
    ]);
  });

  test("shows the words of an answer without a table", async () => {
    const content = "Ask it:\n\n- `/tables` lists\n- `/help` shows this\n\nSQL - is run, too.";
    shown = await showCard([question("/help"), answered({}, { content })]);
    const lines = [...shown.page.querySelectorAll(".answer-text li")];
    expect(lines.map((line) => line.innerHTML)).toEqual([
      "<code>/tables</code> lists",
      "<code>/help</code> shows this",
    ]);
    expect(shown.page.textContent).toContain("SQL - is run, too.");
  });

  test("tells what it was allowed, and what it was about", async () => {
    const { page } = await card(
      { columns, rows },
      question("SELECT 1", {
        context: {
          schema: "main",
          tables: ["a", "b", "c", "d", "e", "f"],
          config: { dryRun: true, readOnly: false },
        },
      }),
    );
    for (const text of ["plan", "write", "schema main", "and 2 more"]) {
      expect(page.textContent).toContain(text);
    }
  });

  test("can be looked at where its question is not held", async () => {
    shown = await showCard([answered({ columns, rows, statement: "SELECT 7" })]);
    expect(shown.page.textContent).toContain("SELECT 7");
    expect(shown.page.textContent).not.toContain("asked");
    await click(button(shown.page, "Edit and run"));
    expect(shown.chat.ui.getState().composerText?.text).toBe("SELECT 7");
  });
});

describe("a statement that goes into the composer", () => {
  test("is not left behind a panel, nor in the box of another room", async () => {
    holding(MEDIUM);
    shown = await showCard([answered({ columns, rows, statement: "SELECT 7" })]);
    const { chat, page } = shown;
    act(() => {
      chat.ui.getState().openPanel({ kind: "answer", answerId: "x" });
      chat.store.setState({ room: "other" });
    });
    await click(button(page, "Edit and run"));
    expect(chat.ui.getState().panel).toBeUndefined();
    expect(chat.store.getState().openRoom).toHaveBeenCalledExactlyOnceWith("demo");
    expect(chat.ui.getState().composerText?.text).toBe("SELECT 7");
    holding();
  });
});

describe("what can be done with an answer", () => {
  test("run it again, with its context and in its thread", async () => {
    const context = { schema: "main", config: { dryRun: true } };
    const { page, chat } = await card(
      { columns, rows },
      question("SELECT 1", { context, threadId: "t" }),
    );
    await click(button(page, "Run again"));
    expect(chat.store.getState().sendMessage).toHaveBeenCalledWith("SELECT 1", {
      room: "demo",
      context,
      threadId: "t",
    });
  });

  test("a write is run again only when that is said twice", async () => {
    const context = { config: { readOnly: false } };
    const { page, chat } = await card({ rowsWritten: 1 }, question("DELETE FROM t", { context }));
    const { sendMessage } = chat.store.getState();
    await click(button(page, "Run again"));
    expect(sendMessage).not.toHaveBeenCalled();
    await click(button(page, "It may write. Run again?"));
    expect(sendMessage).toHaveBeenCalledTimes(1);
  });

  test("what cannot be sent again is kept, and a sentence says why", async () => {
    const sendMessage = vi.fn(() => Promise.reject(new Error("100 messages wait already.")));
    const { page, chat } = await card({ columns, rows }, question("SELECT 1"), { sendMessage });
    await click(button(page, "Run again"));
    expect(chat.store.getState().notify).toHaveBeenCalledWith({
      kind: "error",
      text: "100 messages wait already.",
      kept: "SELECT 1",
    });
  });

  test.each(["CSV", "JSON", "XLSX", "Download as NDJSON", "Download as Markdown"])(
    "download it as %s",
    async (name) => {
      const followed: string[] = [];
      vi.spyOn(HTMLAnchorElement.prototype, "click").mockImplementation(function (
        this: HTMLAnchorElement,
      ) {
        followed.push(this.href);
      });
      const exportLink = vi.fn(
        async (id: string, format: string) => `http://x.test/${id}.${format}`,
      );
      const { page } = await card({ columns, rows }, question("SELECT 1"), { exportLink });
      expect(button(page, name).title).toBe(`Download as ${name.split(" ").at(-1)}`);
      await click(button(page, name));
      const format = { Markdown: "md" }[name.split(" ").at(-1) ?? ""] ?? name.split(" ").at(-1);
      expect(followed).toEqual([
        `http://x.test/${answered({}).messageId}.${format?.toLowerCase()}`,
      ]);
      expect(document.querySelector("a")).toBeNull();
    },
  );

  test("download it as a CSV that Excel reads as Unicode", async () => {
    let followed = "";
    vi.spyOn(HTMLAnchorElement.prototype, "click").mockImplementation(function (
      this: HTMLAnchorElement,
    ) {
      followed = this.href;
    });
    const exportLink = async () => "http://x.test/a.csv?ticket=t";
    const { page } = await card({ columns, rows }, question("SELECT 1"), { exportLink });
    await click(button(page, "Download as CSV for Excel"));
    expect(followed).toBe("http://x.test/a.csv?ticket=t&bom=1");
  });

  test("not download what has failed", async () => {
    const { page } = await card({ state: "timeout", columns, rows });
    expect(names(page)).not.toContain("CSV");
    expect(names(page)).toContain("Copy table");
  });

  test("open it in the panel, and reply to it", async () => {
    const { page, chat } = await card({ columns, rows });
    const answerId = answered({}).messageId;
    await click(button(page, "Open in panel"));
    expect(chat.ui.getState().panel).toEqual({ kind: "answer", answerId });
    await click(button(page, "Reply in thread"));
    expect(chat.ui.getState().panel).toEqual({ kind: "thread", threadId: answerId });
  });

  test("a viewer reads, copies and downloads it, and asks nothing", async () => {
    const rooms = [fakeRoom("demo", { role: "viewer" })];
    const { page, close } = await card({ columns, rows }, question("SELECT 1"), { rooms });
    for (const name of ["Copy table", "CSV", "Open in panel"]) expect(names(page)).toContain(name);
    for (const name of ["Run again", "Edit and run", "Reply in thread"]) {
      expect(names(page)).not.toContain(name);
    }
    await close();
    const error = { code: "db_error", message: "No such table.", retryable: false } as const;
    const failed = await card({ state: "error", error }, question("SELECT 1"), { rooms });
    expect(failed.page.querySelector(".answer-bar")).toBeNull();
  });

  test("see its statement, in whole", async () => {
    const statement = `SELECT ${"1, ".repeat(300)}1`;
    const { page } = await card({ columns, rows, statement }, question(statement));
    expect(page.querySelector(".answer-statement")).toBeNull();
    await click(button(page, "SQL"));
    expect(page.querySelector(".answer-statement")?.textContent).toBe(statement);
    await click(button(page, "Table"));
    expect(cells(page)).toHaveLength(2);
  });

  test("show rows that this copy leaves out", async () => {
    const { page, chat } = await card(
      { columns, rows, rowCount: 3, rowsOmitted: 1 },
      question("SELECT 1"),
      {
        fetchAnswer: vi.fn(async (id: string) => {
          const message = answered({ columns, rows: [...rows, ["one", 1]] });
          chat.store.setState({
            messages: new Map(chat.store.getState().messages).set(id, message),
          });
        }),
      },
    );
    expect(page.textContent).toContain("2 rows shown here.");
    await click(button(page, "Show the 3 rows"));
    expect(cells(page)).toHaveLength(3);
    expect(page.textContent).not.toContain("shown here");
  });

  test("be told where rows cannot be read", async () => {
    const fetchAnswer = vi.fn(() => Promise.reject(new Error("gone")));
    const { page } = await card(
      { columns, rows, rowCount: 3, rowsOmitted: 1 },
      question("SELECT 1"),
      { fetchAnswer },
    );
    await click(button(page, "Show the 3 rows"));
    expect(page.textContent).toContain("The rows could not be read.");
  });

  test("sorting reads rows that this copy leaves out", async () => {
    const { page, chat } = await card({ columns, rows, rowCount: 3, rowsOmitted: 1 });
    await click(button(page, "n"));
    expect(chat.store.getState().fetchAnswer).toHaveBeenCalledTimes(1);
  });

  test("copy it in the order that is shown", async () => {
    const { page } = await card({ columns, rows });
    const copied: Record<string, string> = {};
    vi.stubGlobal("ClipboardEvent", Event);
    document.execCommand = vi.fn(() => {
      const event = new Event("copy", { cancelable: true });
      const clipboardData = { setData: (type: string, text: string) => (copied[type] = text) };
      document.dispatchEvent(Object.assign(event, { clipboardData }));
      return true;
    });
    await click(button(page, "n"));
    await click(button(page, "Copy table"));
    expect(copied["text/plain"]).toBe("name\tn\nnine\t9\nten\t10");
    expect(copied["text/html"]).toContain("<td>9</td>");
    expect(names(page)).toContain("Copied");
  });
});

describe("an error", () => {
  const syntax = (message: string, statement: string): Partial<Answer> => ({
    state: "error",
    statement,
    error: { code: "db_syntax", message, retryable: false },
  });

  test("points at its place, and corrects what it knows", async () => {
    const message = "FORM (line 2, column 1) is not understood; did you mean FROM?";
    const { page, chat } = await card(syntax(message, "SELECT *\nFORM t"));
    expect(page.querySelector("mark")?.textContent).toBe("FORM");
    await click(button(page, "Use FROM"));
    expect(chat.ui.getState().composerText?.text).toBe("SELECT *\nFROM t");
  });

  test.each(["db_syntax", "db_error", "db_read_only", "db_statement_rejected"] as const)(
    "offers to edit the statement, and not to run it as it is: %s",
    async (code) => {
      const error = { code, message: "It is wrong.", retryable: false };
      const { page } = await card({ state: "error", statement: "SELECT", error });
      const bar = page.querySelector(".answer-bar") as Element;
      expect(names(bar)).not.toContain("Run again");
      expect(names(bar)[0]).toBe("Edit and run");
    },
  );

  test("of a busy server offers first to run it again", async () => {
    const error = { code: "db_busy", message: "Too many.", retryable: true } as const;
    const { page } = await card({ state: "error", error });
    const bar = page.querySelector(".answer-bar") as Element;
    expect(names(bar).slice(0, 2)).toEqual(["Run again", "Edit and run"]);
  });
});

test("what a database, a user or a server has written stays text", async () => {
  const evil = '<img src=x onerror="alert(1)"><script>alert(1)</script>';
  const { page } = await card(
    { columns: [{ name: evil, type: evil }], rows: [[evil]], statement: evil },
    question(evil, { name: evil, context: { schema: evil, tables: [evil] } }),
  );
  await click(button(page, "SQL"));
  for (const tag of ["img", "script", "a"]) expect(page.querySelector(tag)).toBeNull();
  expect(page.querySelector(".answer-statement")?.textContent).toBe(evil);
});

test("a card that was scrolled away comes back as it was", async () => {
  const messages = [question("SELECT 1"), answered({ columns, rows })];
  shown = await showCard(messages);
  await click(button(shown.page, "n"));
  const id = messages[1]?.messageId ?? "";
  await act(async () => {
    const without = new Map(shown?.chat.store.getState().messages);
    without.delete(id);
    shown?.chat.store.setState({ messages: without });
  });
  expect(shown.page.textContent).toBe("");
  await act(async () => {
    const { chat } = shown as Shown;
    const message = messages[1] as ChatMessage;
    chat.store.setState({ messages: new Map(chat.store.getState().messages).set(id, message) });
  });
  expect(cells(shown.page).map((row) => row[1])).toEqual(["9", "10"]);
});
