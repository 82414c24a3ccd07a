import { beforeEach, describe, expect, test, vi } from "vitest";
import { IDBFactory } from "fake-indexeddb";
import type { Chat, ChatOptions } from "../../src/stores/chat";
import { createChat } from "../../src/stores/createChat";
import type { Surroundings } from "../../src/stores/surroundings";
import type { KeyStore } from "../../src/websocket/storage";
import { FakeClock, settled } from "../clock";
import { FakeServer, idOf, tokenOf } from "../server";

const URL = "http://chat.test/";

let clock: FakeClock;
let server: FakeServer;
let storage: KeyStore;
let isOnline: boolean;
let signs: { woke(): void; wentOffline(): void } | undefined;

beforeEach(() => {
  vi.stubGlobal("indexedDB", new IDBFactory());
  clock = new FakeClock();
  server = new FakeServer(clock).room("demo").room("sales");
  storage = memoryStore();
  isOnline = true;
  signs = undefined;
});

function memoryStore(): KeyStore {
  const kept = new Map<string, string>();
  return {
    read: (key) => kept.get(key),
    write: (key, value) => (kept.set(key, value), true),
    remove: (key) => void kept.delete(key),
    keys: (prefix) => [...kept.keys()].filter((key) => key.startsWith(prefix)),
  };
}

function makeChat(over: Partial<ChatOptions> = {}, around: Partial<Surroundings> = {}): Chat {
  return createChat(
    { url: URL, getToken: () => tokenOf("ada"), ...over },
    {
      clock,
      random: () => 0.5,
      storage,
      openWire: server.open,
      locks: undefined,
      fetcher: () => Promise.reject(new TypeError("Failed to fetch")),
      nextFrame: (run) => run(),
      signs: {
        isOnline: () => isOnline,
        subscribe(heard) {
          signs = heard;
          return () => (signs = undefined);
        },
      },
      ...around,
    },
  );
}

async function connected(over: Partial<ChatOptions> = {}): Promise<Chat> {
  const chat = makeChat({ room: "demo", ...over });
  chat.start();
  await settled();
  return chat;
}

const view = (chat: Chat, room = "demo") => chat.store.getState().views.get(room);
const texts = (chat: Chat, room = "demo") =>
  view(chat, room)?.ids.map((id) => chat.store.getState().messages.get(id)?.content);
const state = (chat: Chat) => chat.store.getState();

describe("connecting", () => {
  test("joins the open room with its history, and the others from where they are", async () => {
    server.wrote("demo", 3);
    server.wrote("sales", 4);
    const chat = await connected();
    expect(server.wire.auths).toMatchObject([{ connectionId: ["demo"], answerRows: 50 }]);
    expect(server.asked("connection:join")).toMatchObject([{ connectionId: "sales", since: 4 }]);
    expect(state(chat)).toMatchObject({ isConnected: true, room: "demo", me: { name: "Ada" } });
    expect(texts(chat)).toEqual(["message 1", "message 2", "message 3"]);
    expect(view(chat, "sales")).toBeUndefined();
  });

  test("without a room that is known it joins none, and then the first one it may use", async () => {
    server.wrote("demo", 2);
    const chat = await connected({ room: "" });
    expect(server.wire.auths[0]?.connectionId).toEqual(["-"]);
    expect(texts(chat)).toEqual(["message 1", "message 2"]);
  });

  test("a second visit asks for the room of the first one", async () => {
    const first = await connected({ room: "sales" });
    first.stop();
    const chat = makeChat();
    chat.start();
    await settled();
    expect(server.wire.auths[0]?.connectionId).toEqual(["sales"]);
    expect(state(chat).room).toBe("sales");
  });

  test("started, stopped and started in one turn, it opens one socket, once", async () => {
    const chat = makeChat({ room: "demo" });
    chat.start();
    chat.stop();
    chat.start();
    await settled();
    expect(server.wires).toHaveLength(1);
    expect(server.wire.auths).toHaveLength(1);
    expect(state(chat).isConnected).toBe(true);
  });
});

describe("sending", () => {
  test("a message shows at once, and keeps its place when it is stored", async () => {
    server.wrote("demo", 2);
    const chat = await connected();
    const id = await state(chat).sendMessage("hello");
    expect(view(chat)?.ids).toEqual([idOf("demo", 1), idOf("demo", 2), id]);
    await settled();
    expect(view(chat)?.ids).toEqual([idOf("demo", 1), idOf("demo", 2), id]);
    expect(state(chat).messages.get(id)).toMatchObject({ status: "sent", seq: 3 });
    expect(state(chat).pendingMessages.size).toBe(0);
    expect(state(chat).waiting.size).toBe(0);
  });
});

describe("signs of the browser", () => {
  test("when the network comes back it connects at once", async () => {
    server.isUp = false;
    const chat = await connected();
    await clock.pass(31_000);
    expect(state(chat).connection).toMatchObject({ phase: "reconnecting" });
    server.isUp = true;
    signs?.woke();
    await settled();
    expect(state(chat).isConnected).toBe(true);
  });
});
