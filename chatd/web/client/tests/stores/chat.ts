/** A chat on a fake server, for the tests of what happens over it. */
import { IDBFactory } from "fake-indexeddb";
import { vi } from "vitest";
import type { Chat, ChatOptions } from "../../src/stores/chat";
import { createChat } from "../../src/stores/createChat";
import type { ChatState, RoomView } from "../../src/stores/state";
import type { Surroundings } from "../../src/stores/surroundings";
import type { ChatMessage } from "../../src/websocket/types";
import { FakeClock, settled } from "../clock";
import { memoryStore } from "../memory";
import { FakeServer, tokenOf } from "../server";

export const URL = "http://chat.test/";

/** A browser, with a server that it may reach. Each `chat` is a tab of it. */
export class Browser {
  readonly clock = new FakeClock();
  readonly server = new FakeServer(this.clock).room("demo").room("sales");
  storage = memoryStore();
  isOnline = true;
  signs: { woke(): void; wentOffline(): void } | undefined;
  fetcher: typeof fetch = () => Promise.reject(new TypeError("Failed to fetch"));
  #open: Chat[] = [];

  constructor() {
    vi.stubGlobal("indexedDB", new IDBFactory());
  }

  chat(options: Partial<ChatOptions> = {}, around: Partial<Surroundings> = {}): Chat {
    const made = createChat(
      { url: URL, getToken: () => tokenOf("ada"), ...options },
      {
        clock: this.clock,
        random: () => 0.5,
        storage: this.storage,
        openWire: this.server.open,
        locks: undefined,
        fetcher: (...given) => this.fetcher(...given),
        nextFrame: (run) => run(),
        signs: {
          isOnline: () => this.isOnline,
          subscribe: (heard) => {
            this.signs = heard;
            return () => (this.signs = undefined);
          },
        },
        ...around,
      },
    );
    this.#open.push(made);
    return made;
  }

  /** A tab whose chat is connected, with `demo` open. */
  async connected(options: Partial<ChatOptions> = {}): Promise<Chat> {
    const chat = this.chat({ room: "demo", ...options });
    chat.start();
    await settled();
    return chat;
  }

  close(): void {
    for (const chat of this.#open) chat.stop();
  }
}

export const state = (chat: Chat): ChatState => chat.store.getState();

export function view(chat: Chat, name = "demo"): RoomView | undefined {
  return state(chat).views.get(name);
}

/** What a room shows, from top to bottom. */
export function shown(chat: Chat, name = "demo"): ChatMessage[] {
  return (view(chat, name)?.ids ?? []).map((id) => {
    const message = state(chat).messages.get(id);
    if (message === undefined) throw new Error(`${id} is shown, and not held.`);
    return message;
  });
}

export const texts = (chat: Chat, name = "demo") => shown(chat, name).map((it) => it.content);
export const seqs = (chat: Chat, name = "demo") => shown(chat, name).map((it) => it.seq);

export function room(chat: Chat, name = "demo") {
  return state(chat).rooms.find((it) => it.connectionId === name);
}
