import { act } from "react";
import { expect, test, vi } from "vitest";
import { EmptyRoom } from "../../src/components/EmptyRoom";
import { MintsTokens } from "../../src/hooks/useChat";
import type { ChatState } from "../../src/stores/state";
import type { SchemaTable } from "../../src/websocket/types";
import { fakeChat, fakeRoom } from "../fakes";
import { click, draw, settle } from "./rendering";

const DATABASE = {
  kind: "sqlite",
  readOnly: true,
  dryRun: true,
  commands: ["/tables", "/sample", "/help"],
} as const;
const database = { ...DATABASE, commands: [...DATABASE.commands] };
const table = (name: string, ...columns: string[]): SchemaTable => ({
  name,
  kind: "table",
  columns: columns.map((column) => ({ name: column, type: "TEXT" })),
});

async function drawn(state: Partial<ChatState>, room = "demo") {
  const chat = fakeChat([], state);
  const host = draw(chat, <EmptyRoom room={room} />);
  await settle();
  const questions = [...host.querySelectorAll("button")];
  return { chat, host, questions };
}

test("the sample shop offers three questions, and each is sent", async () => {
  const tables = [table("customers", "name"), table("orders", "id", "status")];
  const { chat, host, questions } = await drawn({
    rooms: [fakeRoom("demo", { title: "Sample database", database })],
    schemas: new Map([["demo", { tables, truncated: false, readAt: 0 }]]),
  });
  expect(host.querySelector("h2")?.textContent).toBe("Ask Sample database");
  const asked = [
    "/tables",
    "SELECT status, count(*) AS orders FROM orders GROUP BY status",
    "/sample customers",
  ];
  expect(questions.map((one) => one.textContent)).toEqual(asked);
  for (const one of questions) await click(one);
  const { sendMessage } = chat.store.getState();
  expect(vi.mocked(sendMessage).mock.calls.map(([content]) => content)).toEqual(asked);
});

test("another database offers what every one answers, as far as it does", async () => {
  const rooms = [fakeRoom("demo", { database })];
  const any = await drawn({ rooms });
  expect(any.questions.map((one) => one.textContent)).toEqual(["/tables", "/help"]);
  const fewer = [fakeRoom("demo", { database: { ...database, commands: ["/help"] } })];
  const one = await drawn({ rooms: fewer });
  expect(one.questions.map((found) => found.textContent)).toEqual(["/help"]);
});

test.each<[string[], "sqlite" | "mysql", string[]]>([
  [["visits", "Page Views"], "sqlite", ["visits", '"Page Views"']],
  [["order", "visits", "x"], "mysql", ["`order`", "visits"]],
  [["visits"], "sqlite", ["visits", "visits"]],
])("a database of one's own offers statements about its first tables: %s", async (...given) => {
  const [names, dialect, [first, second]] = given;
  const { questions } = await drawn({
    rooms: [fakeRoom("demo", { database: { ...database, dialect } })],
    schemas: new Map([
      ["demo", { tables: names.map((name) => table(name, "id")), truncated: false, readAt: 0 }],
    ]),
  });
  expect(questions.map((one) => one.textContent)).toEqual([
    "/tables",
    `SELECT * FROM ${first} LIMIT 10`,
    `SELECT count(*) FROM ${second}`,
    "/help",
  ]);
});

test("while it is not known which tables there are, it offers what stays", async () => {
  const { questions } = await drawn({
    rooms: [fakeRoom("demo", { database })],
    loadSchema: () => new Promise<void>(() => {}),
  });
  expect(questions.map((one) => one.textContent)).toEqual(["/tables"]);
});

test("tables that could not be read, as of a database that is being started, are read again", async () => {
  vi.useFakeTimers();
  try {
    const failed = { tables: [], truncated: false, readAt: 0, failure: "Still being started." };
    const { chat } = await drawn({
      rooms: [fakeRoom("demo", { database })],
      schemas: new Map([["demo", failed]]),
    });
    const { loadSchema } = chat.store.getState();
    vi.mocked(loadSchema).mockClear();
    await act(() => vi.advanceTimersByTimeAsync(3_000));
    expect(loadSchema).toHaveBeenCalledExactlyOnceWith("demo");
    await act(async () => {
      chat.store.setState({ schemas: new Map([["demo", { ...failed }]]) });
      await vi.advanceTimersByTimeAsync(5_900);
    });
    expect(loadSchema).toHaveBeenCalledOnce();
    await act(() => vi.advanceTimersByTimeAsync(200));
    expect(loadSchema).toHaveBeenCalledTimes(2);
  } finally {
    vi.useRealTimers();
  }
});

test("the schema is read only from a server that has it", async () => {
  const rooms = [fakeRoom("demo", { database })];
  expect((await drawn({ rooms })).chat.store.getState().loadSchema).toHaveBeenCalledWith("demo");
  const older = await drawn({ rooms, can: () => false });
  expect(older.chat.store.getState().loadSchema).not.toHaveBeenCalled();
});

test("a question that cannot be kept is told, and not lost", async () => {
  const { chat, questions } = await drawn({
    rooms: [fakeRoom("demo", { database })],
    sendMessage: vi.fn().mockRejectedValue(new Error("full")),
  });
  await act(async () => questions[0]?.click());
  expect(chat.store.getState().notify).toHaveBeenCalledWith(
    expect.objectContaining({ kind: "error", kept: "/tables" }),
  );
});

test("a room without a database says that nobody has written", async () => {
  const { host, questions } = await drawn({ rooms: [fakeRoom("demo")] });
  expect(host.textContent).toContain("Nobody has written here yet.");
  expect(questions).toEqual([]);
});

test("a viewer is told what is seen here, and offered no question", async () => {
  const asks = await drawn({ rooms: [fakeRoom("demo", { role: "viewer", database })] });
  expect(asks.questions).toEqual([]);
  expect(asks.host.textContent).not.toContain("you write");
  expect(asks.host.textContent).toContain("what the members of this room ask its database");
  const { host } = await drawn({ rooms: [fakeRoom("demo", { role: "viewer" })] });
  expect(host.textContent).toContain("Here you see what the members of this room write.");
});

test("without a room it says what to do", async () => {
  expect((await drawn({ rooms: [], room: "" }, "")).host.textContent).toContain(
    "the token that your organisation’s sign-in gives you",
  );
  const own = draw(
    fakeChat([], { rooms: [], room: "" }),
    <MintsTokens.Provider value>
      <EmptyRoom room="" />
    </MintsTokens.Provider>,
  );
  expect(own.textContent).toContain("chatd token mint --room");
  expect((await drawn({ room: "" }, "")).host.textContent).toContain("Ctrl+K");
  expect((await drawn({ rooms: [], room: "", isConnected: false }, "")).host.textContent).toBe("");
});

test("who has no room can look again for one", async () => {
  const { chat, host, questions } = await drawn({ rooms: [], isConnected: true }, "");
  expect(host.querySelector("h2")?.textContent).toBe("You have no room yet.");
  expect(questions.map((one) => one.textContent)).toEqual(["Look again"]);
  await click(questions[0]!);
  expect(chat.store.getState().retryNow).toHaveBeenCalledOnce();
});
