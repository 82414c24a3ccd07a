import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { createChat } from "../../src/stores/createChat";
import { HANG_MS, settled } from "../clock";
import { idOf, tokenOf, type FakeServer } from "../server";
import { Browser, room, seqs, shown, state, texts, URL, view } from "./chat";

let browser: Browser;
let server: FakeServer;

beforeEach(() => {
  browser = new Browser();
  server = browser.server;
});
afterEach(() => browser.close());

/** What an event asks, as far as these tests look at it. */
interface Asked {
  connectionId: string;
  since?: number;
}

const from = (first: number, last: number) =>
  Array.from({ length: last - first + 1 }, (_, n) => first + n);

/** A chat whose message waits for the server. */
async function withOneWaiting() {
  const chat = await browser.connected();
  server.isUp = false;
  server.wire.lose();
  await state(chat).sendMessage("waits");
  browser.storage.write("other", "kept");
  return chat;
}

describe("connecting", () => {
  test("joins the open room with its history, and the others from where they are", async () => {
    server.wrote("demo", 3);
    server.wrote("sales", 4);
    const chat = await browser.connected();
    expect(server.wire.auths).toMatchObject([{ connectionId: ["demo"], answerRows: 50 }]);
    expect(server.asked("connection:join")).toMatchObject([{ connectionId: "sales", since: 4 }]);
    expect(state(chat)).toMatchObject({ isConnected: true, room: "demo", me: { name: "Ada" } });
    expect(texts(chat)).toEqual(["message 1", "message 2", "message 3"]);
    expect(view(chat, "sales")).toBeUndefined();
  });

  test("without a room that is known joins none, and then the first that it may use", async () => {
    server.wrote("demo", 2);
    const chat = await browser.connected({ room: "" });
    expect(server.wire.auths[0]?.connectionId).toEqual(["-"]);
    expect(texts(chat)).toEqual(["message 1", "message 2"]);
  });

  test("at a place that is gone says so, and shows what is unread", async () => {
    server.status.rooms[0] = { ...server.status.rooms[0]!, readSeq: 10, unread: 90 };
    server.wrote("demo", 100);
    const chat = await browser.connected({ place: { seq: 4_000 } });
    expect(state(chat).notices.map(({ text }) => text)).toEqual([
      "That message is not there any more.",
    ]);
    expect(state(chat).messages.get(state(chat).target?.messageId ?? "")?.seq).toBe(11);
  });

  test("at a place in a room that the user has not says so once, and looks for nothing", async () => {
    server.wrote("demo", 9);
    const chat = await browser.connected({ room: "stock", place: { seq: 6 } });
    const said = ["You may not use the room stock, or it does not exist."];
    expect(state(chat).notices.map(({ text }) => text)).toEqual(said);
    expect(state(chat)).toMatchObject({ room: "demo", target: undefined });
    state(chat).dismissNotice(state(chat).notices[0]!.id);
    server.wire.lose();
    await browser.clock.pass(2_000);
    expect(state(chat)).toMatchObject({ isConnected: true, notices: [] });
    await state(chat).openRoom("x\n".repeat(200));
    await settled();
    expect(state(chat).notices[0]?.text.length).toBeLessThan(200);
    expect(state(chat).notices[0]?.text).not.toContain("\n");
  });

  test("goes to a place, and to the newest message, after the page that is being read", async () => {
    server.wrote("demo", 300);
    const chat = await browser.connected();
    void state(chat).loadOlder("demo");
    await state(chat).jumpTo("demo", { seq: 40 });
    expect(seqs(chat)).toContain(40);
    void state(chat).loadOlder("demo");
    await state(chat).jumpToEnd("demo");
    expect(seqs(chat).at(-1)).toBe(300);
  });

  test("asks at a second visit for the room of the first one", async () => {
    (await browser.connected({ room: "sales" })).stop();
    const chat = browser.chat();
    chat.start();
    await settled();
    expect(server.wire.auths[0]?.connectionId).toEqual(["sales"]);
    expect(state(chat).room).toBe("sales");
  });

  test("started, stopped and started in one turn opens one socket, once", async () => {
    const chat = browser.chat({ room: "demo" });
    chat.start();
    chat.stop();
    chat.start();
    await settled();
    expect(server.wires).toHaveLength(1);
    expect(server.wire.auths).toHaveLength(1);
    expect(state(chat).isConnected).toBe(true);
  });

  test("goes to the place that a link names", async () => {
    server.wrote("demo", 200);
    const chat = await browser.connected({ place: { seq: 40 } });
    expect(state(chat).target).toMatchObject({ room: "demo", messageId: idOf("demo", 40) });
    expect(view(chat)).toMatchObject({ mode: "around", oldest: 16, newest: 65 });
  });

  test("on a server, where there is no window, makes a chat and touches nothing", () => {
    for (const name of ["window", "document", "location", "localStorage", "navigator"]) {
      vi.stubGlobal(name, undefined);
    }
    const chat = createChat({ getToken: () => undefined });
    expect(chat.store.getState().connection.phase).toBe("idle");
    expect(chat.url).toBe("");
  });

  test("of a room that is taken away leaves it, and says so", async () => {
    server.wrote("demo", 2);
    server.wrote("sales", 2);
    const chat = await browser.connected();
    server.wire.say("connection:left", { connectionId: "demo", code: "forbidden_room" });
    await settled();
    expect(state(chat).rooms.map((it) => it.connectionId)).toEqual(["sales"]);
    expect(state(chat).room).toBe("sales");
    expect(texts(chat, "sales")).toEqual(["message 1", "message 2"]);
    expect(state(chat).notices.at(-1)?.text).toContain("demo");
    expect(state(chat).messages.has(idOf("demo", 1))).toBe(false);
  });

  test("learns which rooms it has once its last ones were taken away", async () => {
    const chat = await browser.connected();
    const rooms = () => state(chat).rooms.map((it) => it.connectionId);
    server.status.rooms = [];
    server.room("stock").wrote("stock", 1);
    for (const connectionId of ["demo", "sales"])
      server.wire.say("connection:left", { connectionId, code: "forbidden_room" });
    await settled();
    expect(rooms()).toEqual([]);
    await browser.clock.pass(5_000);
    expect(rooms()).toEqual(["stock"]);
    expect(texts(chat, "stock")).toEqual(["message 1"]);
    expect(server.wire.auths).toHaveLength(2);
    expect(state(chat).notices.map((it) => it.text)).toEqual([
      "You may not use demo any more.",
      "You may not use sales any more.",
    ]);
  });

  test("has the rooms that it is given meanwhile, and keeps those it had", async () => {
    server.wrote("demo", 2);
    const chat = await browser.connected();
    for (const connectionId of ["stock", "hr"]) {
      server.room(connectionId);
      const title = connectionId === "hr" ? "People" : undefined;
      server.wire.say("connection:granted", { connectionId, role: "member", title });
    }
    await settled();
    expect(state(chat).notices.map((it) => it.text)).toEqual([
      "You may use stock now.",
      "You may use People now.",
    ]);
    await browser.clock.pass(5_000);
    expect(state(chat).rooms.map((it) => it.connectionId)).toEqual([
      "demo",
      "sales",
      "stock",
      "hr",
    ]);
    expect(state(chat).room).toBe("demo");
    expect(texts(chat, "demo")).toEqual(["message 1", "message 2"]);
    expect(server.wire.auths).toHaveLength(2); // one connection for both
  });

  test("looks for rooms again when the user wants that", async () => {
    server.status.rooms = [];
    const chat = await browser.connected();
    server.room("stock");
    state(chat).retryNow();
    await settled();
    expect(state(chat).room).toBe("stock");
    expect(state(chat).isConnected).toBe(true);
  });

  test("knows the role that the user has in a room, and the next one", async () => {
    server.room("stock", { role: "viewer" });
    const chat = await browser.connected();
    const role = () => state(chat).rooms.find((it) => it.connectionId === "stock")?.role;
    expect(role()).toBe("viewer");
    server.wire.say("connection:role", { connectionId: "stock", role: "owner" });
    await settled();
    expect(role()).toBe("owner");
  });

  test("leaves a room for the one that is opened, where it may be in no more", async () => {
    server.room("stock");
    server.answers["connection:join"] = (asked: { connectionId: string; since?: number }) => {
      const left = server.asked("connection:leave").length;
      const isFull = asked.connectionId === "stock" && left === 0;
      if (!isFull) server.join(server.wire, asked.connectionId, asked.since, "e1");
      const error = { code: "rate_limited", message: "Too many rooms.", retryable: true };
      return isFull ? { ok: false, error } : { ok: true, ...asked };
    };
    server.answers["connection:leave"] = () => ({ ok: true });
    server.wrote("stock", 3);
    const chat = await browser.connected();
    await state(chat).openRoom("stock");
    expect(server.asked("connection:leave")).toEqual([{ connectionId: "sales" }]);
    expect(texts(chat, "stock")).toHaveLength(3);
  });
});

describe("sending", () => {
  test("shows a message at once, which keeps its place when it is stored", async () => {
    server.wrote("demo", 2);
    const chat = await browser.connected();
    const id = await state(chat).sendMessage("hello");
    expect(view(chat)?.ids).toEqual([idOf("demo", 1), idOf("demo", 2), id]);
    await settled();
    expect(view(chat)?.ids).toEqual([idOf("demo", 1), idOf("demo", 2), id]);
    expect(state(chat).messages.get(id)).toMatchObject({ status: "sent", seq: 3 });
    expect(state(chat).pendingMessages.size).toBe(0);
    expect(state(chat).waiting.size).toBe(0);
  });

  test("goes from pending over sending to sent, and on to delivered", async () => {
    const chat = await browser.connected();
    const states: string[] = [];
    let id = "";
    chat.store.subscribe((now) => {
      const status = now.messages.get(id)?.status;
      if (status !== undefined && status !== states.at(-1)) states.push(status);
    });
    server.isUp = false;
    server.wire.lose();
    id = await state(chat).sendMessage("hello");
    await settled();
    expect(state(chat).messages.get(id)?.status).toBe("pending");
    expect(state(chat).waiting.get("demo")).toBe(1);
    server.isUp = true;
    await browser.clock.pass(1_500);
    server.wire.say("chat:message:status", { messageId: id, status: "delivered", by: "bob" });
    await settled();
    expect(states).toEqual(["pending", "sending", "sent", "delivered"]);
  });

  test("never shows a message as waiting again that is stored, whatever is written meanwhile", async () => {
    const chat = await browser.connected();
    const states: string[] = [];
    let id = "";
    let next: Promise<string> | undefined;
    chat.store.subscribe((now) => {
      const status = now.messages.get(id)?.status;
      if (status === undefined || status === states.at(-1)) return;
      states.push(status);
      if (status === "sent") next ??= state(chat).sendMessage("two");
    });
    server.isUp = false;
    server.wire.lose();
    id = await state(chat).sendMessage("one");
    server.isUp = true;
    server.tellAll = () => {}; // the room hears of it later
    await browser.clock.pass(1_500);
    await next;
    await settled();
    expect(states.slice(states.indexOf("sent"))).toEqual(["sent"]);
    expect(state(chat).pendingMessages.size).toBe(0);
  });

  test("says why a message was refused for good, and gives its text back", async () => {
    const error = { code: "content_too_long", message: "Too long.", retryable: false };
    server.answers["chat:message"] = () => ({ ok: false, error });
    const chat = await browser.connected();
    const id = await state(chat).sendMessage("hello");
    await settled();
    expect(state(chat).messages.get(id)).toMatchObject({ status: "error", refusal: error });
    expect(state(chat).pendingMessages.has(id)).toBe(false);
    expect(await state(chat).discardMessage(id)).toBe("hello");
    await settled();
    expect(shown(chat)).toEqual([]);
    expect(await state(chat).discardMessage(id)).toBeUndefined();
  });

  test("tries a message again that was given up, at its old place", async () => {
    let isRefused = true;
    const store = server.answers["chat:message"] as (sent: never) => unknown;
    const error = { code: "forbidden_room", message: "No.", retryable: false };
    server.answers["chat:message"] = (sent: never) =>
      isRefused ? { ok: false, error } : store(sent);
    const chat = await browser.connected();
    const first = await state(chat).sendMessage("one");
    await settled();
    isRefused = false;
    await state(chat).retryMessage(first);
    await settled();
    expect(shown(chat)).toMatchObject([{ messageId: first, status: "sent", seq: 1 }]);
    expect(shown(chat)[0]).not.toHaveProperty("refusal");
  });

  test("keeps what waits over a reload, and sends it in order when the server is back", async () => {
    const chat = await browser.connected();
    server.isUp = false;
    server.wire.lose();
    for (const text of ["one", "two", "three"]) await state(chat).sendMessage(text);
    chat.stop();
    const next = browser.chat();
    next.start();
    await settled();
    expect(state(next)).toMatchObject({ room: "demo", isConnected: false });
    expect(texts(next)).toEqual(["one", "two", "three"]);
    server.isUp = true;
    await browser.clock.pass(3_000);
    expect(server.of("demo").map((it) => it.content)).toEqual(["one", "two", "three"]);
    expect(seqs(next)).toEqual([1, 2, 3]);
  });

  test("of a message that was stored before the tab crashed makes no second one", async () => {
    const chat = await browser.connected();
    const store = server.answers["chat:message"] as (sent: never) => unknown;
    server.answers["chat:message"] = (sent: never) => void store(sent); // the answer gets lost
    await state(chat).sendMessage("once");
    await settled();
    chat.stop();
    server.answers["chat:message"] = store as never;
    const next = browser.chat();
    next.start();
    await settled();
    await browser.clock.pass(20_000);
    expect(server.of("demo")).toHaveLength(1);
    expect(shown(next)).toMatchObject([{ content: "once", seq: 1, status: "sent" }]);
    expect(state(next).pendingMessages.size).toBe(0);
    expect(next.log.figures().duplicates).toBe(1);
  });

  test("refuses the message beyond a hundred, and its text is the caller's", async () => {
    const chat = await browser.connected();
    server.isUp = false;
    server.wire.lose();
    for (let n = 0; n < 100; n += 1) await state(chat).sendMessage(`${n}`);
    await expect(state(chat).sendMessage("more")).rejects.toMatchObject({ name: "OutboxFull" });
    expect(shown(chat)).toHaveLength(100);
    expect(state(chat).waiting.get("demo")).toBe(100);
  });

  test("without a user yet refuses a message: whose would it be", async () => {
    const chat = browser.chat();
    await expect(state(chat).sendMessage("x")).rejects.toMatchObject({ name: "OutboxUnwritable" });
  });

  test("in a browser that stores nothing sends all the same, and says once what that means", async () => {
    vi.stubGlobal("indexedDB", undefined);
    const chat = await browser.connected();
    server.isUp = false;
    server.wire.lose();
    await state(chat).sendMessage("one");
    await state(chat).sendMessage("two");
    await settled();
    expect(state(chat).notices).toMatchObject([
      { text: expect.stringContaining("stores nothing") },
    ]);
    const leaving = new Event("beforeunload", { cancelable: true });
    window.dispatchEvent(leaving);
    expect(leaving.defaultPrevented).toBe(true);
    server.isUp = true;
    await browser.clock.pass(3_000);
    expect(server.of("demo").map((it) => it.content)).toEqual(["one", "two"]);
    const later = new Event("beforeunload", { cancelable: true });
    window.dispatchEvent(later);
    expect(later.defaultPrevented).toBe(false);
  });

  test("too fast is slowed down, and the pace is told while something waits", async () => {
    let refusals = 0;
    const store = server.answers["chat:message"] as (sent: never) => unknown;
    const error = { code: "rate_limited", message: "Slow.", retryable: true, retryAfterMs: 2_000 };
    server.answers["chat:message"] = (sent: never) =>
      refusals++ === 0 ? { ok: false, error } : store(sent);
    const chat = await browser.connected();
    await state(chat).sendMessage("one");
    await settled();
    expect(state(chat).pacing).toMatchObject({ code: "rate_limited", reason: "Slow." });
    expect(shown(chat)).toMatchObject([{ status: "pending" }]);
    await browser.clock.pass(2_100);
    expect(shown(chat)).toMatchObject([{ status: "sent" }]);
    expect(state(chat).pacing).toBeUndefined();
  });

  test("from a place elsewhere goes to the end of the room", async () => {
    server.wrote("demo", 200);
    const chat = await browser.connected();
    await state(chat).jumpTo("demo", { seq: 20 });
    const id = await state(chat).sendMessage("hello");
    await settled();
    expect(view(chat)).toMatchObject({ mode: "tail", newest: 201 });
    expect(view(chat)?.ids.at(-1)).toBe(id);
  });

  test("two tabs show what both have typed, and each message is stored once", async () => {
    const one = await browser.connected();
    const other = await browser.connected();
    server.isUp = false;
    for (const wire of server.wires) wire.lose();
    for (let n = 0; n < 10; n += 1) await state(n % 2 ? one : other).sendMessage(`${n}`);
    const order = from(0, 9).map(String);
    const isAll = () => texts(one).length === 10 && texts(other).length === 10;
    await vi.waitUntil(isAll, HANG_MS);
    expect(texts(one)).toEqual(order);
    expect(texts(other)).toEqual(order);
    server.isUp = true;
    for (let n = 0; n < 20; n += 1) await browser.clock.pass(500);
    expect(server.of("demo").map((it) => it.content)).toEqual(order);
    expect(seqs(one)).toEqual(from(1, 10));
    expect(seqs(other)).toEqual(from(1, 10));
    expect(state(one).pendingMessages.size + state(other).pendingMessages.size).toBe(0);
  });

  test("two users of one browser never send each other's messages", async () => {
    const ada = await browser.connected();
    server.isUp = false;
    server.wire.lose();
    await state(ada).sendMessage("by ada");
    ada.stop();
    server.isUp = true;
    server.status.userId = "bob";
    const bob = await browser.connected({ getToken: () => tokenOf("bob") });
    await browser.clock.pass(5_000);
    expect(server.of("demo")).toEqual([]);
    expect(shown(bob)).toEqual([]);
    bob.stop();
    server.status.userId = "ada";
    await browser.connected();
    await browser.clock.pass(5_000);
    expect(server.of("demo").map((it) => it.content)).toEqual(["by ada"]);
  });
});

describe("a room", () => {
  test("whose message comes after a hole reads what is missing", async () => {
    server.wrote("demo", 3);
    const chat = await browser.connected();
    server.wrote("demo", 4);
    server.writes("demo");
    await settled();
    expect(seqs(chat)).toEqual(from(1, 8));
    expect(server.asked("chat:history:get")).toMatchObject([{ after: 3 }]);
    expect(chat.log.figures().gapsFilled).toBe(1);
  });

  test("whose first page is older than what came live reads the rest", async () => {
    server.wrote("sales", 5);
    const chat = await browser.connected();
    const read = server.answers["chat:history:get"] as (asked: never) => unknown;
    server.answers["chat:history:get"] = (asked: never) => {
      server.answers["chat:history:get"] = read;
      const page = read(asked);
      server.writes("sales");
      return page;
    };
    await state(chat).openRoom("sales");
    await settled();
    expect(seqs(chat, "sales")).toEqual(from(1, 6));
  });

  test("with a hole of thousands reads its newest page", async () => {
    server.wrote("demo", 3);
    const chat = await browser.connected();
    server.wrote("demo", 5_000);
    server.writes("demo");
    await settled();
    expect(view(chat)).toMatchObject({ mode: "tail", newest: 5_004, hasOlder: true });
  });

  test("that is left and come back to is as it was, and what came meanwhile is there", async () => {
    server.wrote("demo", 3);
    const chat = await browser.connected();
    await state(chat).openRoom("sales");
    server.writes("demo");
    await settled();
    await state(chat).openRoom("demo");
    expect(seqs(chat)).toEqual([1, 2, 3, 4]);
    expect(server.asked("chat:history:get")).toHaveLength(1);
  });

  test("pages back to its beginning, and forward again after a jump", async () => {
    server.wrote("demo", 180);
    const chat = await browser.connected();
    await state(chat).loadOlder("demo");
    expect(seqs(chat)).toEqual(from(81, 180));
    await state(chat).jumpTo("demo", { seq: 30 });
    expect(view(chat)).toMatchObject({ mode: "around", hasOlder: true, hasNewer: true });
    while (view(chat)?.hasNewer === true) await state(chat).loadNewer("demo");
    expect(view(chat)).toMatchObject({ mode: "tail", newest: 180 });
    while (view(chat)?.hasOlder === true) await state(chat).loadOlder("demo");
    expect(seqs(chat)).toEqual(from(1, 180));
  });

  test("asks for a page once, however often it is wanted", async () => {
    server.wrote("demo", 180);
    const chat = await browser.connected();
    await Promise.all(from(1, 5).map(() => state(chat).loadOlder("demo")));
    expect(server.asked("chat:history:get")).toHaveLength(1);
  });

  test("counts what is new below a place elsewhere, and goes back to its end", async () => {
    server.wrote("demo", 180);
    const chat = await browser.connected();
    expect(await state(chat).jumpTo("demo", { messageId: idOf("demo", 10), seq: 10 })).toBe(true);
    server.writes("demo");
    server.writes("demo");
    await settled();
    expect(view(chat)).toMatchObject({ newBelow: 2, mode: "around" });
    await state(chat).jumpToEnd("demo");
    expect(view(chat)).toMatchObject({ newBelow: 0, mode: "tail", newest: 182 });
  });

  test("does not move for a message that is not there any more", async () => {
    server.wrote("demo", 60);
    const chat = await browser.connected();
    const before = view(chat);
    server.answers["chat:message:get"] = () => ({ ok: false, error: { code: "not_found" } });
    expect(await state(chat).jumpTo("demo", { messageId: "gone" })).toBe(false);
    expect(await state(chat).jumpTo("demo", { seq: 4_000 })).toBe(false);
    expect(view(chat)?.ids).toEqual(before?.ids);
    expect(view(chat)?.isLoading).toBe(false);
  });

  test("shows where the unread messages begin, until it is left", async () => {
    server.wrote("sales", 9);
    server.status.rooms[1]!.readSeq = 4;
    server.status.rooms[1]!.unread = 5;
    const chat = await browser.connected();
    await state(chat).openRoom("sales");
    expect(view(chat, "sales")?.firstUnread).toBe(5);
    await state(chat).openRoom("demo");
    expect(view(chat, "sales")).not.toHaveProperty("firstUnread");
  });

  test("that was opened long ago is not held any more, and read again", async () => {
    const names = from(1, 25).map((n) => `room ${n}`);
    for (const name of names) server.room(name).wrote(name, 2);
    const chat = await browser.connected();
    for (const name of names) await state(chat).openRoom(name);
    const held = [...state(chat).views.values()].filter((it) => it.isReady);
    expect(held).toHaveLength(20);
    expect(state(chat).messages.size).toBe(40);
    await state(chat).openRoom("room 1");
    expect(seqs(chat, "room 1")).toEqual([1, 2]);
  });

  test("is opened at its end, where a place is named and is nothing, or not there", async () => {
    server.wrote("sales", 9);
    server.room("stock").wrote("stock", 3);
    const chat = await browser.connected();
    await state(chat).openRoom("sales", {});
    expect(seqs(chat, "sales")).toEqual(from(1, 9));
    await state(chat).openRoom("stock", { seq: 40 });
    expect(seqs(chat, "stock")).toEqual([1, 2, 3]);
  });

  test("is shown at its end, where it was left elsewhere and a place is not there", async () => {
    server.wrote("sales", 900);
    const chat = await browser.connected();
    await state(chat).openRoom("sales", { seq: 100 });
    expect(view(chat, "sales")?.mode).toBe("around");
    await state(chat).openRoom("sales", { seq: 4_000 });
    expect(view(chat, "sales")?.mode).toBe("tail");
    expect(seqs(chat, "sales").at(-1)).toBe(900);
  });

  test("says that it could not be read, and can be read later", async () => {
    server.wrote("sales", 3);
    const chat = await browser.connected();
    const read = server.answers["chat:history:get"]!;
    const error = { code: "storage_read_error", message: "The disk.", retryable: true };
    server.answers["chat:history:get"] = () => ({ ok: false, error });
    await state(chat).openRoom("sales");
    await settled();
    expect(state(chat).notices.at(-1)?.text).toBe("The disk.");
    expect(view(chat, "sales")).toMatchObject({ isReady: false, isLoading: false });
    server.answers["chat:history:get"] = read;
    await state(chat).openRoom("sales");
    expect(texts(chat, "sales")).toHaveLength(3);
  });
});

describe("with more rooms than a connection may be in", () => {
  const limited = {
    ok: false,
    error: { code: "rate_limited", message: "Too many rooms.", retryable: true, retryAfterMs: 1 },
  };

  /** A chat that is in two of three rooms at most; `inRooms` are those. */
  async function inTwoRooms() {
    server.room("stock");
    for (const name of ["demo", "sales", "stock"]) server.wrote(name, 2);
    const inRooms = new Set(["demo"]);
    server.answers["connection:join"] = ({ connectionId, since }: Asked) => {
      if (inRooms.size > 1) return limited;
      inRooms.add(connectionId);
      server.join(server.wire, connectionId, since, "e1");
      return { ok: true, connectionId, lastSeq: 2, epoch: "e1" };
    };
    server.answers["connection:leave"] = ({ connectionId }: Asked) => {
      inRooms.delete(connectionId);
      return { ok: true };
    };
    const store = server.answers["chat:message"]!;
    server.answers["chat:message"] = (sent: Asked) =>
      inRooms.has(sent.connectionId) ? store(sent as never) : limited;
    return { chat: await browser.connected(), inRooms };
  }

  test("a room that is opened again is joined again", async () => {
    const { chat, inRooms } = await inTwoRooms();
    for (const name of ["stock", "sales", "stock"]) await state(chat).openRoom(name);
    await settled();
    expect(inRooms).toContain("stock");
    expect(seqs(chat, "stock")).toEqual([1, 2]);
  });

  test("a message to a room that was left for another is sent", async () => {
    const { chat } = await inTwoRooms();
    await state(chat).openRoom("stock");
    await state(chat).openRoom("sales");
    const ids = [
      await state(chat).sendMessage("to stock", { room: "stock" }),
      await state(chat).sendMessage("to sales"),
    ];
    await browser.clock.pass(60_000);
    expect(ids.map((id) => state(chat).messages.get(id)?.status)).toEqual(["sent", "sent"]);
  });
});

describe("coming back", () => {
  test("asks for what is new since the last message, of the log that it knows", async () => {
    server.wrote("demo", 3);
    const chat = await browser.connected();
    server.wire.lose();
    server.wrote("demo", 2);
    await browser.clock.pass(1_000);
    expect(server.wire.auths.at(-1)).toMatchObject({ since: { demo: 3 }, epoch: "e1" });
    expect(seqs(chat)).toEqual([1, 2, 3, 4, 5]);
    expect(room(chat)?.lastSeq).toBe(5);
  });

  test("of a place elsewhere asks for what is new at the end, and counts it", async () => {
    server.wrote("demo", 180);
    const chat = await browser.connected();
    await state(chat).jumpTo("demo", { seq: 20 });
    server.wire.lose();
    server.wrote("demo", 3);
    await browser.clock.pass(1_000);
    expect(server.wire.auths.at(-1)).toMatchObject({ since: { demo: 180 } });
    expect(view(chat)).toMatchObject({ mode: "around", newBelow: 3, newest: 45 });
  });

  test("to another log drops what is held, and keeps what waits", async () => {
    server.wrote("demo", 3);
    const chat = await browser.connected();
    await state(chat).openThread(idOf("demo", 1));
    await state(chat).openRoom("sales");
    await state(chat).openRoom("demo");
    server.isUp = false;
    server.wire.lose();
    await state(chat).sendMessage("waits");
    server.log.clear();
    server.wrote("demo", 1, { content: "of another log", messageId: "other" });
    server.status.epoch = "e2";
    server.isUp = true;
    await browser.clock.pass(2_000);
    expect(texts(chat)).toEqual(["of another log", "waits"]);
    expect(state(chat).epoch).toBe("e2");
    expect(view(chat, "sales")?.isReady).toBe(false);
    expect(state(chat).messages.size).toBe(2);
  });

  test("to another log reads the open thread there, or says that it is not there", async () => {
    server.wrote("demo", 1, { messageId: "root" });
    server.wrote("demo", 2, { threadId: "root" });
    const chat = await browser.connected();
    await state(chat).openThread("root");
    expect(state(chat).thread?.ids).toHaveLength(2);
    server.isUp = false;
    server.wire.lose();
    await state(chat).sendMessage("waits", { threadId: "root" });
    server.log.clear();
    server.wrote("demo", 1, { messageId: "root" });
    server.wrote("demo", 1, { threadId: "root", content: "restored" });
    server.status.epoch = "e2";
    server.isUp = true;
    await browser.clock.pass(2_000);
    const inThread = () =>
      state(chat).thread?.ids.map((id) => state(chat).messages.get(id)?.content);
    expect(inThread()).toEqual(["restored", "waits"]);
    expect(state(chat).thread).toMatchObject({ isLoading: false, root: { messageId: "root" } });

    server.wire.lose();
    server.log.clear();
    const error = {
      code: "unknown_message",
      message: "There is no such thread.",
      retryable: false,
    };
    server.answers["chat:history:get"] = () => ({ ok: false, error });
    server.status.epoch = "e3";
    await browser.clock.pass(2_000);
    expect(state(chat).thread).toMatchObject({ isLoading: false, failure: error.message });
  });

  test("to another log drops an answer that was under way in the open thread", async () => {
    server.wrote("demo", 1, { messageId: "root" });
    server.wrote("demo", 1, { messageId: "asked", threadId: "root" });
    const chat = await browser.connected();
    server.wire.say("chat:answer:start", {
      messageId: "answer",
      replyTo: "asked",
      connectionId: "demo",
      readOnly: true,
      dryRun: false,
      askedBy: "ada",
      startedAt: browser.clock.now(),
      deadline: browser.clock.now() + 30_000,
    });
    await settled();
    await state(chat).openThread("root");
    expect(state(chat).thread?.ids).toEqual(["asked", "answer"]);
    server.wire.lose();
    server.log.clear();
    server.wrote("demo", 1, { messageId: "root" });
    server.status.epoch = "e2";
    await browser.clock.pass(2_000);
    expect(state(chat).thread).toMatchObject({ ids: [], isLoading: false });
  });

  test("to a log that has lost its end drops what is held", async () => {
    server.wrote("demo", 5);
    const chat = await browser.connected();
    const page = server.page({ connectionId: "demo" });
    const messages = page.messages.slice(0, 2);
    server.wire.say("chat:history", { ...page, messages, lastSeq: 2, reset: true });
    await settled();
    expect(
      shown(chat)
        .slice(0, 2)
        .map((it) => it.seq),
    ).toEqual([1, 2]);
  });

  test("reads the changes that it missed of what it holds", async () => {
    server.wrote("demo", 3);
    const chat = await browser.connected();
    server.wire.lose();
    const changed = server.of("demo")[1]!;
    Object.assign(changed, { content: "edited", rev: 4, editedAt: 9 });
    server.lastRev = 4;
    await browser.clock.pass(1_000);
    expect(server.asked("chat:history:get")).toMatchObject([{ changedAfter: 0 }]);
    expect(texts(chat)).toEqual(["message 1", "edited", "message 3"]);
  });

  test("after a restart is connected again, and shows no reason", async () => {
    const chat = await browser.connected();
    server.wire.say("server:draining", { deadline: 0, reconnectAfterMs: 300 });
    server.wire.lose();
    await settled();
    expect(state(chat)).toMatchObject({
      isConnected: false,
      connection: { phase: "reconnecting", isDraining: true },
    });
    await browser.clock.pass(1_000);
    expect(state(chat).connection).toEqual({ phase: "connected", attempt: 0 });
    expect(state(chat).notices).toEqual([]);
  });

  test("with a token that is refused signs out, and what was written stays", async () => {
    const onSignedOut = vi.fn();
    const chat = await browser.connected({ onSignedOut });
    server.isUp = false;
    server.wire.lose();
    await state(chat).sendMessage("kept");
    server.isUp = true;
    server.refusal = { code: "token_expired", message: "Sign in again." };
    await browser.clock.pass(2_000);
    expect(onSignedOut).toHaveBeenCalledWith({ code: "token_expired", reason: "Sign in again." });
    expect(state(chat).connection.phase).toBe("signedOut");
    server.refusal = undefined;
    state(chat).retryNow();
    await settled();
    await browser.clock.pass(2_000);
    expect(server.of("demo").map((it) => it.content)).toEqual(["kept"]);
  });

  test("declares again how present the user is", async () => {
    const chat = await browser.connected();
    state(chat).setPresence("away");
    expect(server.asked("presence:update").map((it) => it.connectionId)).toEqual(["demo", "sales"]);
    server.wire.lose();
    await browser.clock.pass(1_000);
    expect(server.wire.auths.at(-1)?.status).toBe("away");
  });

  test("as another user shows nothing of the one before", async () => {
    server.wrote("demo", 3);
    let user = "ada";
    const chat = await browser.connected({ getToken: () => tokenOf(user) });
    state(chat).notify({ kind: "info", text: "for ada" });
    server.isUp = false;
    server.wire.lose();
    await state(chat).sendMessage("by ada");
    await settled();
    user = "bob";
    server.isUp = true;
    server.status.userId = "bob";
    server.log.clear();
    server.wrote("sales", 1);
    await browser.clock.pass(1_000);
    expect(server.wire.auths.at(-1)).not.toHaveProperty("since");
    expect(state(chat)).toMatchObject({ me: { userId: "bob" }, isConnected: true, notices: [] });
    expect([...state(chat).messages.values()]).toEqual([]);
    expect(state(chat).waiting.size).toBe(0);
  });

  test("gives the server a newer token, where there is one, before the old one runs out", async () => {
    let token = tokenOf("ada");
    server.answers["auth:refresh"] = () => ({ ok: true, expiresAt: 9 });
    const chat = await browser.connected({ getToken: () => token });
    server.wire.say("auth:expiring", { expiresAt: 77 });
    await settled();
    expect(state(chat).expiringAt).toBe(77);
    token = tokenOf("ada", { exp: 2 });
    server.wire.say("auth:expiring", { expiresAt: 78 });
    await settled();
    expect(server.asked("auth:refresh")).toEqual([{ token }]);
    expect(state(chat).expiringAt).toBeUndefined();
  });
});

describe("what the server could not do for a moment", () => {
  test("a room that could not be read at the handshake is joined a while later", async () => {
    const chat = await browser.connected();
    const join = server.join.bind(server);
    server.join = (wire, connectionId) =>
      wire.say("chat:error", {
        event: "connection:join",
        code: "storage_read_error",
        message: "x",
        retryable: true,
        connectionId,
      });
    server.wire.lose();
    server.wrote("demo", 2);
    await browser.clock.pass(2_000);
    expect(seqs(chat)).toEqual([]);
    server.join = join;
    await browser.clock.pass(10_000);
    expect(seqs(chat)).toEqual([1, 2]);
  });

  test("messages keep their order on a connection that is dead and not known to be", async () => {
    const chat = await browser.connected();
    const store = server.answers["chat:message"]!;
    server.answers["chat:message"] = () => undefined;
    await state(chat).sendMessage("first");
    await browser.clock.pass(1_000);
    await state(chat).sendMessage("second");
    await browser.clock.pass(43_000);
    server.answers["chat:message"] = store;
    server.wire.lose("ping timeout");
    await browser.clock.pass(60_000);
    expect(server.of("demo").map((it) => it.content)).toEqual(["first", "second"]);
  });

  test("a marker whose answer was lost is told again", async () => {
    server.wrote("demo", 3);
    server.status.rooms[0]!.unread = 3;
    const chat = await browser.connected();
    server.answers["chat:read"] = () => undefined;
    state(chat).markAsRead(idOf("demo", 3));
    await browser.clock.pass(600);
    server.wire.lose();
    await browser.clock.pass(5_000);
    expect(server.asked("chat:read")).toMatchObject([{ seq: 3 }, { seq: 3 }]);
  });

  test("who came back while the connection was made is declared online", async () => {
    const chat = await browser.connected();
    state(chat).setPresence("away");
    const connects = server.connects.bind(server);
    let letIn = () => {};
    server.connects = (...given) => void (letIn = () => connects(...given));
    server.wire.lose();
    await browser.clock.pass(1_000);
    expect(server.wire.auths.at(-1)?.status).toBe("away");
    state(chat).setPresence("online");
    letIn();
    await settled();
    expect(server.asked("presence:update").at(-1)).toMatchObject({ status: "online" });
  });
});

describe("reading", () => {
  test("tells the server up to where, and acknowledges what has come, once in a while", async () => {
    server.wrote("demo", 3);
    const chat = await browser.connected();
    for (let n = 0; n < 5; n += 1) server.writes("demo");
    await settled();
    expect(room(chat)).toMatchObject({ unread: 5 });
    for (const seq of [4, 5, 8]) state(chat).markAsRead(idOf("demo", seq));
    expect(room(chat)).toMatchObject({ readSeq: 8, unread: 0 });
    await browser.clock.pass(2_000);
    expect(server.asked("chat:read").map((it) => it.seq)).toEqual([4, 8]);
    const acks = server.asked("chat:ack").map((it) => it.messageId);
    expect(acks).toEqual([idOf("demo", 3), idOf("demo", 8)]);
    state(chat).markAsRead(idOf("demo", 2));
    expect(room(chat)?.readSeq).toBe(8);
  });

  test("what came just before a loss is acknowledged after it", async () => {
    await browser.connected();
    server.writes("demo");
    server.writes("demo");
    server.wire.lose();
    await browser.clock.pass(5_000);
    const acks = server.asked("chat:ack").map((it) => it.messageId);
    expect(acks).toEqual([idOf("demo", 2)]);
  });

  test("what the server did not confirm before a loss is acknowledged again", async () => {
    await browser.connected();
    server.writes("demo"); // the wire takes the acknowledgement, and nobody answers
    await settled();
    expect(server.asked("chat:ack")).toHaveLength(1);
    server.answers["chat:ack"] = () => ({ ok: true });
    server.wire.lose();
    await browser.clock.pass(5_000);
    server.wire.lose();
    await browser.clock.pass(10_000);
    const acks = server.asked("chat:ack").map((it) => it.messageId);
    expect(acks).toEqual([idOf("demo", 1), idOf("demo", 1)]);
  });

  test("by others while this page was away shows when it is back", async () => {
    const chat = await browser.connected();
    for (let n = 0; n < 3; n += 1) server.writes("demo", { userId: "ada" });
    await settled();
    server.wire.lose();
    for (const message of server.of("demo").slice(0, 2)) message.status = "delivered";
    await browser.clock.pass(5_000);
    expect(shown(chat).map(({ status }) => status)).toEqual(["delivered", "delivered", "sent"]);
    expect(server.asked("chat:history:get")).toMatchObject([{ before: 4 }]);
  });

  test("asks for no receipts where all are known", async () => {
    await browser.connected();
    server.writes("demo", { userId: "ada", status: "delivered" });
    server.writes("demo");
    await settled();
    server.wire.lose();
    await browser.clock.pass(5_000);
    expect(server.asked("chat:history:get")).toEqual([]);
  });

  test("on another device counts here too", async () => {
    const chat = await browser.connected();
    server.writes("sales", { mentions: ["ada"] });
    await settled();
    expect(room(chat, "sales")).toMatchObject({ unread: 1, mentions: 1 });
    server.wire.say("chat:read", { connectionId: "sales", readSeq: 1, unread: 0, mentions: 0 });
    await settled();
    expect(room(chat, "sales")).toMatchObject({ readSeq: 1, unread: 0, mentions: 0 });
  });

  test("without a connection is told when there is one", async () => {
    server.wrote("demo", 3);
    server.status.rooms[0]!.unread = 3;
    const chat = await browser.connected();
    server.wire.lose();
    state(chat).markAsRead(idOf("demo", 3));
    await browser.clock.pass(3_000);
    expect(server.asked("chat:read")).toEqual([{ connectionId: "demo", seq: 3 }]);
    expect(room(chat)).toMatchObject({ readSeq: 3, unread: 0 });
  });
});

describe("changes of messages", () => {
  const at = { messageId: idOf("demo", 2), connectionId: "demo", seq: 2 };

  test("come one by one, and one that was missed is read", async () => {
    server.wrote("demo", 3);
    const chat = await browser.connected();
    server.wire.say("chat:message:edited", { ...at, rev: 1, content: "new", editedAt: 5 });
    server.wire.say("chat:message:reaction", {
      ...at,
      rev: 2,
      userId: "bob",
      emoji: "+",
      on: true,
    });
    await settled();
    expect(shown(chat)[1]).toMatchObject({ content: "new", rev: 2, reactions: [{ emoji: "+" }] });
    expect(server.asked("chat:history:get")).toEqual([]);
    Object.assign(server.of("demo")[0]!, { rev: 3, content: "missed" });
    Object.assign(server.of("demo")[1]!, { rev: 4, content: "", deletedAt: 6 });
    server.lastRev = 4;
    server.wire.say("chat:message:deleted", { ...at, rev: 4, deletedAt: 6 });
    await settled();
    expect(texts(chat)).toEqual(["missed", "", "message 3"]);
    expect(server.asked("chat:history:get")).toMatchObject([{ changedAfter: 2 }]);
    expect(room(chat)?.lastRev).toBe(4);
  });

  test("are asked of the server with what was seen, and a refusal is a sentence", async () => {
    server.wrote("demo", 3, { userId: "ada", rev: 7 });
    const chat = await browser.connected();
    server.answers["chat:message:edit"] = () => ({ ok: true, rev: 8 });
    expect(await state(chat).editMessage(idOf("demo", 2), "better")).toBe(true);
    expect(server.asked("chat:message:edit")).toMatchObject([{ content: "better", rev: 7 }]);
    const error = { code: "forbidden", message: "Only its author.", retryable: false };
    server.answers["chat:message:delete"] = () => ({ ok: false, error });
    expect(await state(chat).deleteMessage(idOf("demo", 2))).toBe(false);
    await settled();
    expect(state(chat).notices.at(-1)).toMatchObject({ kind: "error", text: "Only its author." });
    expect(await state(chat).react("unknown", "+", true)).toBe(false);
  });
});

describe("answers", () => {
  const ids = { messageId: "answer", replyTo: idOf("demo", 1), connectionId: "demo" };
  const start = () =>
    server.wire.say("chat:answer:start", {
      ...ids,
      readOnly: true,
      dryRun: false,
      askedBy: "ada",
      startedAt: browser.clock.now(),
      deadline: browser.clock.now() + 30_000,
    });
  const final = () => ({
    messageId: "answer",
    replyTo: ids.replyTo,
    userId: "db:demo",
    content: "| n |",
    answer: { state: "done", rowCount: 1, columns: [], rows: [[1]] } as never,
  });

  test("have a place at once, which their message takes without a move", async () => {
    server.wrote("demo", 1);
    const chat = await browser.connected();
    start();
    await settled();
    expect(view(chat)?.ids).toEqual([idOf("demo", 1), "answer"]);
    expect(room(chat)?.running).toBe(1);
    server.writes("demo", final());
    await settled();
    expect(view(chat)?.ids).toEqual([idOf("demo", 1), "answer"]);
    expect(state(chat).messages.get("answer")).toMatchObject({ seq: 2, status: "sent" });
    expect(chat.answers.get("answer")).toBeUndefined();
    expect(room(chat)?.running).toBe(0);
  });

  test("of a room that is opened later have their place in it", async () => {
    server.wrote("sales", 1);
    const chat = await browser.connected();
    const there = { connectionId: "sales", replyTo: idOf("sales", 1), messageId: "answer" };
    server.wire.say("chat:answer:start", { ...there, startedAt: 0, deadline: 9e12 });
    await settled();
    await state(chat).openRoom("sales");
    expect(view(chat, "sales")?.ids.at(-1)).toBe("answer");
  });

  test("that are lost are asked for, and shown", async () => {
    server.wrote("demo", 1);
    const chat = await browser.connected();
    start();
    const [message] = server.wrote("demo", 1, final());
    server.answers["chat:message:get"] = () => ({ ok: true, message });
    await browser.clock.pass(40_000);
    expect(server.asked("chat:message:get")).toMatchObject([{ messageId: "answer" }]);
    expect(shown(chat).at(-1)).toMatchObject({ messageId: "answer", content: "| n |" });
    expect(chat.answers.get("answer")).toBeUndefined();
  });

  test("of which the server knows nothing end here", async () => {
    server.wrote("demo", 1);
    const chat = await browser.connected();
    start();
    const error = { code: "not_found", message: "No.", retryable: false };
    server.answers["chat:message:get"] = () => ({ ok: false, error });
    await browser.clock.pass(40_000);
    expect(chat.answers.get("answer")).toMatchObject({ phase: "ended" });
    await browser.clock.pass(60_000);
    expect(server.asked("chat:message:get")).toHaveLength(1);
  });

  test("of an older server are looked for behind their question", async () => {
    server.status.server.features = [];
    server.wrote("demo", 1);
    const chat = await browser.connected();
    start();
    server.wrote("demo", 1, final());
    await browser.clock.pass(40_000);
    expect(server.asked("chat:history:get")).toMatchObject([{ after: 1 }]);
    expect(shown(chat).at(-1)).toMatchObject({ messageId: "answer", content: "| n |" });
  });

  test("are downloaded by a ticket, which the token gets", async () => {
    const chat = await browser.connected();
    browser.fetcher = vi.fn(async () => Response.json({ ticket: "t/1", expiresInMs: 1 }));
    expect(await state(chat).exportLink("a b", "csv")).toBe(
      `${URL}api/answers/a%20b.csv?ticket=t%2F1`,
    );
    const [, request] = vi.mocked(browser.fetcher).mock.calls[0]!;
    expect(request).toMatchObject({ headers: { Authorization: `Bearer ${tokenOf("ada")}` } });
    const body = { code: "answer_failed", message: "It has no rows." };
    browser.fetcher = async () => Response.json(body, { status: 409 });
    expect(await state(chat).exportLink("a", "csv")).toBeUndefined();
    await settled();
    expect(state(chat).notices.at(-1)?.text).toBe("It has no rows.");
  });

  test("that cannot be stopped are a sentence", async () => {
    const chat = await browser.connected();
    const error = { code: "forbidden", message: "Only who asked.", retryable: false };
    server.answers["answer:cancel"] = () => ({ ok: false, error });
    await state(chat).cancelAnswer("q");
    await settled();
    expect(state(chat).notices.at(-1)?.text).toBe("Only who asked.");
  });

  test("a hint stands at the message that got none", async () => {
    const chat = await browser.connected();
    const id = await state(chat).sendMessage("SELEC 1");
    await settled();
    const hint = { messageId: id, connectionId: "demo", code: "near_sql", message: "Use /sql." };
    server.wire.say("chat:hint", hint);
    await settled();
    expect(shown(chat)[0]?.hint).toEqual({ code: "near_sql", message: "Use /sql." });
  });
});

describe("beside the room", () => {
  test("a thread holds its opener, its replies, and what is written in it", async () => {
    const opener = idOf("demo", 1);
    server.wrote("demo", 1);
    server.wrote("demo", 2, { threadId: opener });
    server.wrote("demo", 200);
    const chat = await browser.connected();
    await state(chat).openThread(opener);
    expect(state(chat).thread).toMatchObject({ root: { seq: 1 }, isLoading: false });
    expect(state(chat).thread?.ids).toEqual([idOf("demo", 2), idOf("demo", 3)]);
    const mine = await state(chat).sendMessage("a reply", { threadId: opener });
    expect(state(chat).thread?.ids.at(-1)).toBe(mine);
    server.writes("demo", { threadId: opener });
    await settled();
    expect(state(chat).thread?.ids).toHaveLength(4);
    expect(state(chat).thread?.root?.replies).toMatchObject({ users: ["bob"] });
    state(chat).closeThread();
    expect(state(chat).thread).toBeUndefined();
    expect(state(chat).messages.has(opener)).toBe(false);
    expect(state(chat).messages.has(idOf("demo", 203))).toBe(true);
  });

  test("a thread that was opened without a connection is read with the next one", async () => {
    const opener = idOf("demo", 1);
    server.wrote("demo", 1);
    server.wrote("demo", 1, { threadId: opener });
    const chat = await browser.connected();
    server.wire.lose();
    await state(chat).openThread(opener);
    expect(state(chat).thread).toMatchObject({ failure: expect.any(String), isLoading: false });
    await browser.clock.pass(2_000);
    expect(state(chat).thread).toMatchObject({ root: { seq: 1 }, ids: [idOf("demo", 2)] });
    expect(state(chat).thread).not.toHaveProperty("failure");
  });

  test("of two threads that are opened the last one counts", async () => {
    server.wrote("demo", 2);
    const chat = await browser.connected();
    await Promise.all([
      state(chat).openThread(idOf("demo", 1)),
      state(chat).openThread(idOf("demo", 2)),
    ]);
    expect(state(chat).thread).toMatchObject({ threadId: idOf("demo", 2), isLoading: false });
  });

  test("a search gives its hits page by page, and of two the last one counts", async () => {
    const chat = await browser.connected();
    const hit = (seq: number) => ({ message: server.wrote("demo", 1)[0], snippet: `${seq}` });
    server.answers["chat:search"] = (asked: { query: string; cursor?: string }) =>
      asked.query === "slow"
        ? undefined
        : { ok: true, hits: [hit(1)], ...(asked.cursor === undefined ? { cursor: "c" } : {}) };
    void state(chat).runSearch("slow");
    await state(chat).runSearch("late", { room: "demo" });
    await state(chat).runSearch("", { more: true });
    expect(state(chat).search).toMatchObject({ query: "late", connectionId: "demo" });
    expect(state(chat).search?.hits).toHaveLength(2);
    expect(state(chat).search?.cursor).toBeUndefined();
    await browser.clock.pass(20_000);
    expect(state(chat).search?.query).toBe("late");
    expect(server.asked("chat:search").at(-1)).toMatchObject({ cursor: "c", query: "late" });
  });

  test("a search that is refused says why", async () => {
    const chat = await browser.connected();
    const error = { code: "invalid_query", message: "Write words.", retryable: false };
    server.answers["chat:search"] = () => ({ ok: false, error });
    await state(chat).runSearch("*");
    expect(state(chat).search).toMatchObject({ failure: "Write words.", isLoading: false });
    state(chat).closeSearch();
    expect(state(chat).search).toBeUndefined();
  });

  test("a schema is read once for all who want it, and again when it is old", async () => {
    server.status.rooms[0]!.database = {
      kind: "sqlite",
      readOnly: true,
      dryRun: true,
      commands: [],
    };
    const tables = [{ name: "orders", kind: "table", columns: [] }];
    server.answers["schema:get"] = () => ({ ok: true, tables, truncated: false });
    const chat = await browser.connected();
    await Promise.all([state(chat).loadSchema("demo"), state(chat).loadSchema("demo")]);
    await state(chat).loadSchema("demo");
    await state(chat).loadSchema("sales");
    expect(server.asked("schema:get")).toEqual([{ connectionId: "demo" }]);
    await browser.clock.pass(60_000);
    const error = { code: "db_unavailable", message: "Not now.", retryable: true };
    server.answers["schema:get"] = () => ({ ok: false, error });
    await state(chat).loadSchema("demo");
    expect(state(chat).schemas.get("demo")).toMatchObject({ tables, failure: "Not now." });
  });

  test("who is here is told of the open room, and who types of all", async () => {
    const chat = await browser.connected();
    const ada = { userId: "ada", status: "online", lastSeen: 0 };
    const bob = { userId: "bob", status: "away", lastSeen: 0, name: "Bob" };
    server.wire.say("presence:snapshot", { connectionId: "demo", users: [ada, bob] });
    server.wire.say("presence:snapshot", { connectionId: "sales", users: [ada] });
    server.wire.say("chat:typing", { connectionId: "sales", userId: "bob", isTyping: true });
    server.wire.say("chat:typing", { connectionId: "demo", userId: "ada", isTyping: true });
    await settled();
    expect([...state(chat).presence]).toEqual([
      ["ada", "online"],
      ["bob", "away"],
    ]);
    expect([...state(chat).typingUsers.keys()]).toEqual(["sales\nbob"]);
    expect(state(chat).names.get("bob")).toBe("Bob");
    server.wire.say("presence:update", { ...bob, connectionId: "demo", status: "offline" });
    server.writes("sales");
    await state(chat).openRoom("sales");
    await settled();
    expect([...state(chat).presence]).toEqual([["ada", "online"]]);
    expect(state(chat).typingUsers.size).toBe(0);
    await state(chat).openRoom("demo");
    expect([...state(chat).presence.keys()]).toEqual(["ada"]);
  });

  test("what is typed is told while there is a connection", async () => {
    const chat = await browser.connected();
    state(chat).setTyping("demo", true);
    state(chat).setTyping("demo", false);
    expect(server.asked("chat:typing:start")).toEqual([{ connectionId: "demo" }]);
    expect(server.asked("chat:typing:stop")).toEqual([{ connectionId: "demo" }]);
  });
});

describe("a place in another room", () => {
  test("takes nobody away from the room that was opened meanwhile", async () => {
    server.room("stock");
    server.wrote("sales", 3);
    const chat = await browser.connected();
    const read = server.answers["chat:history:get"]!;
    let answer = (_page: unknown) => {};
    server.answers["chat:history:get"] = () => new Promise((done) => (answer = done));
    const opening = state(chat).openRoom("sales", { messageId: idOf("sales", 1), seq: 1 });
    await settled();
    server.answers["chat:history:get"] = read;
    await state(chat).openRoom("stock");
    answer({ ok: false, error: { code: "internal", message: "x", retryable: true } });
    await opening;
    expect(state(chat).room).toBe("stock");
  });
});

describe("another version of the server", () => {
  test("that is older leaves a page that works, with the markers of this browser", async () => {
    const { server: _server, limits: _limits, ...older } = server.status;
    server.status = older as never;
    server.status.rooms = [
      { connectionId: "demo", lastSeq: 0, unread: 2 },
      { connectionId: "sales", lastSeq: 0, unread: 0 },
    ] as never;
    for (const event of ["chat:read", "schema:get", "chat:message:edit"] as const) {
      server.answers[event] = () => undefined; // an unknown event is never answered
    }
    server.wrote("demo", 5);
    const chat = await browser.connected();
    expect(state(chat).can("edit")).toBe(false);
    expect(room(chat)).toMatchObject({ readSeq: 3, unread: 2, mentions: 0 });
    state(chat).markAsRead(idOf("demo", 5));
    await state(chat).sendMessage("hello");
    await browser.clock.pass(2_000);
    expect(server.of("demo").at(-1)?.content).toBe("hello");
    expect(server.asked("chat:read")).toEqual([]);
    const editing = state(chat).editMessage(idOf("demo", 5), "x");
    await browser.clock.pass(10_000);
    expect(await editing).toBe(false);
    chat.stop();
    const next = await browser.connected();
    expect(room(next)).toMatchObject({ readSeq: 5 });
  });

  test("that is newer may say what this page does not know", async () => {
    server.wrote("demo", 1);
    const chat = await browser.connected();
    for (const name of ["chat:poll", "__proto__", "constructor", "toString", ""]) {
      server.wire.say(name, { connectionId: "demo" });
    }
    server.wire.say("connection:status", { status: "dreaming" });
    server.wire.say("chat:message", { ...server.wrote("demo", 1)[0], mood: "good", seq: 2 });
    await settled();
    expect(seqs(chat)).toEqual([1, 2]);
    expect(state(chat).isConnected).toBe(true);
  });

  test("that sends what is no event of its own leaves the rest as it is", async () => {
    server.wrote("demo", 1);
    const chat = await browser.connected();
    for (const name of ["chat:message", "chat:history", "chat:answer:rows", "presence:snapshot"]) {
      for (const payload of [null, undefined, 5, "x", [], {}]) server.wire.say(name, payload);
    }
    server.writes("demo");
    await settled();
    expect(seqs(chat)).toEqual([1, 2]);
  });
});

describe("signing out", () => {
  test("shows nothing any more, and what waits is there at the next sign-in", async () => {
    const chat = await withOneWaiting();
    const rooms = browser.storage.keys("").filter((key) => key.endsWith("rooms"));
    expect(rooms).toHaveLength(1);
    await chat.signOut();
    expect(browser.storage.keys("")).not.toContain(rooms[0]);
    expect(state(chat)).toMatchObject({ me: undefined, rooms: [], room: "" });
    expect(state(chat).connection.phase).toBe("signedOut");
    expect(state(chat).messages.size).toBe(0);
    server.isUp = true;
    chat.start();
    await settled();
    await browser.clock.pass(2_000);
    expect(server.of("demo").map((it) => it.content)).toEqual(["waits"]);
  });

  test("with all that waits deletes it, and what was kept of this user", async () => {
    const chat = await withOneWaiting();
    await chat.signOut({ discard: true });
    expect(browser.storage.keys("")).toEqual(["other"]);
    server.isUp = true;
    chat.start();
    await settled();
    await browser.clock.pass(2_000);
    expect(server.of("demo")).toEqual([]);
  });
});

describe("texts that are kept", () => {
  test("stand until somebody closes them, however many they are", async () => {
    server.room("stock");
    const chat = await browser.connected();
    server.isUp = false;
    server.wire.lose();
    const sent = from(1, 7).map((n) => `text ${n}`);
    for (const text of sent) await state(chat).sendMessage(text, { room: "stock" });
    server.status.rooms = server.status.rooms.filter((it) => it.connectionId !== "stock");
    server.answers["chat:message"] = () => ({
      ok: false,
      error: { code: "forbidden_room", message: "no", retryable: false },
    });
    server.isUp = true;
    await browser.clock.pass(60_000);
    expect(state(chat).notices.flatMap(({ kept }) => kept ?? [])).toEqual(sent);
  });
});

describe("a notice", () => {
  const refused = { ok: false, error: { code: "forbidden", message: "No.", retryable: false } };

  test("of an answer goes when that has ended", async () => {
    const chat = await browser.connected();
    server.answers["answer:cancel"] = () => refused;
    const event = { messageId: "a", replyTo: "q", connectionId: "demo" };
    server.wire.say("chat:answer:start", {
      ...event,
      readOnly: true,
      dryRun: false,
      startedAt: 0,
      deadline: 9e15,
    });
    await state(chat).cancelAnswer("q");
    await settled();
    expect(state(chat).notices).toMatchObject([{ text: "No.", room: "demo" }]);
    server.wire.say("chat:answer:end", { ...event, state: "done", rowCount: 0 });
    await settled();
    expect(state(chat).notices).toEqual([]);
  });

  test("of a room stands there alone, and goes when that is left", async () => {
    const chat = await browser.connected();
    state(chat).notify({ kind: "error", text: "of demo" });
    state(chat).notify({ kind: "error", text: "of sales", room: "sales" });
    state(chat).notify({ kind: "error", text: "stays", stays: true });
    state(chat).notify({ kind: "error", text: "unsent", kept: "words" });
    await settled();
    expect(state(chat).notices.map((it) => it.text)).toEqual(["of demo", "stays", "unsent"]);
    await state(chat).openRoom("sales");
    expect(state(chat).notices.map((it) => it.text)).toEqual(["stays", "unsent"]);
  });

  test("of a message that waits goes when that does not wait any more", async () => {
    const chat = await browser.connected();
    server.isUp = false;
    server.wire.lose();
    const messageId = await state(chat).sendMessage("words");
    state(chat).notify({ kind: "error", text: "Not sent.", kept: "words", messageId });
    await settled();
    expect(state(chat).notices).toHaveLength(1);
    server.isUp = true;
    await browser.clock.pass(3_000);
    expect(state(chat).notices).toEqual([]);
  });

  test("of a token that is not taken is one, and goes with one that is", async () => {
    const chat = await browser.connected();
    server.wire.say("auth:expiring", { expiresAt: 77 });
    await settled();
    server.answers["auth:refresh"] = () => refused;
    expect(await state(chat).refreshToken("junk")).toBe(false);
    expect(state(chat)).toMatchObject({ tokenRefusal: "No.", notices: [] });
    server.answers["auth:refresh"] = () => ({ ok: true, expiresAt: 99 });
    expect(await state(chat).refreshToken("good")).toBe(true);
    await settled();
    expect(state(chat)).toMatchObject({ expiringAt: undefined, notices: [] });
    expect(state(chat).tokenRefusal).toBeUndefined();
  });
});

test("notices are few, each once, and go when they are dismissed", async () => {
  const chat = await browser.connected();
  for (const text of ["a", "b", "a", "c", "d", "e", "f"]) {
    state(chat).notify({ kind: "info", text });
  }
  await settled();
  expect(state(chat).notices.map((it) => it.text)).toEqual(["a", "c", "d", "e", "f"]);
  state(chat).dismissNotice(state(chat).notices[0]!.id);
  expect(state(chat).notices.map((it) => it.text)).toEqual(["c", "d", "e", "f"]);
});

test("when the network comes back it connects at once", async () => {
  server.isUp = false;
  const chat = await browser.connected();
  await browser.clock.pass(31_000);
  expect(state(chat).connection).toMatchObject({ phase: "reconnecting" });
  server.isUp = true;
  browser.signs?.woke();
  await settled();
  expect(state(chat).isConnected).toBe(true);
});
