/** A chat without a server, for the tests of components: what a test does not say is empty. */
import { createStore, type StoreApi } from "zustand/vanilla";
import { vi } from "vitest";
import type { Chat } from "../src/stores/chat";
import type { Answers, RunningAnswer } from "../src/stores/answers";
import type { ChatState, RoomView } from "../src/stores/state";
import { createUi } from "../src/stores/ui";
import type { ChatMessage, Room } from "../src/websocket/types";

export interface FakeChat extends Chat {
  readonly store: StoreApi<ChatState>;
  readonly answers: Answers & { put(answer: RunningAnswer): void };
}

export function fakeState(over: Partial<ChatState> = {}): ChatState {
  return {
    isConnected: true,
    reconnectAttempts: 0,
    messages: new Map(),
    pendingMessages: new Set(),
    typingUsers: new Map(),
    presence: new Map(),
    connection: { phase: "connected", attempt: 0 },
    pacing: undefined,
    me: { userId: "ada", name: "Ada" },
    server: undefined,
    limits: {
      contentChars: 10_000,
      historyPage: 200,
      messagesPerMinute: 30,
      typingPerMinute: 10,
      maxPayload: 1_000_000,
    },
    epoch: "epoch",
    expiringAt: undefined,
    tokenRefusal: undefined,
    rooms: [fakeRoom("demo")],
    room: "demo",
    views: new Map(),
    names: new Map(),
    thread: undefined,
    search: undefined,
    schemas: new Map(),
    notices: [],
    waiting: new Map(),
    target: undefined,
    sendMessage: vi.fn(async () => "id"),
    retryMessage: vi.fn(async () => {}),
    markAsRead: vi.fn(),
    can: () => true,
    openRoom: vi.fn(async () => {}),
    loadOlder: vi.fn(async () => {}),
    loadNewer: vi.fn(async () => {}),
    jumpTo: vi.fn(async () => true),
    jumpToEnd: vi.fn(async () => {}),
    discardMessage: vi.fn(async () => undefined),
    editMessage: vi.fn(async () => true),
    deleteMessage: vi.fn(async () => true),
    react: vi.fn(async () => true),
    cancelAnswer: vi.fn(async () => {}),
    fetchAnswer: vi.fn(async () => {}),
    exportLink: vi.fn(async () => undefined),
    openThread: vi.fn(async () => {}),
    loadOlderInThread: vi.fn(async () => {}),
    closeThread: vi.fn(),
    runSearch: vi.fn(async () => {}),
    closeSearch: vi.fn(),
    loadSchema: vi.fn(async () => {}),
    setTyping: vi.fn(),
    setPresence: vi.fn(),
    retryNow: vi.fn(),
    refreshToken: vi.fn(async () => true),
    notify: vi.fn(),
    dismissNotice: vi.fn(),
    ...over,
  };
}

export function fakeRoom(connectionId: string, over: Partial<Room> = {}): Room {
  return {
    connectionId,
    lastSeq: 0,
    lastRev: 0,
    readSeq: 0,
    unread: 0,
    mentions: 0,
    running: 0,
    ...over,
  };
}

export function fakeMessage(seq: number, over: Partial<ChatMessage> = {}): ChatMessage {
  return {
    messageId: `00000000-0000-4000-8000-${String(seq).padStart(12, "0")}`,
    connectionId: "demo",
    userId: "bob",
    name: "Bob",
    content: `message ${seq}`,
    timestamp: 1_750_000_000_000 + seq * 60_000,
    status: "sent",
    seq,
    ...over,
  };
}

/** A room's window that holds these messages, and is at its end. */
export function fakeView(messages: readonly ChatMessage[], over: Partial<RoomView> = {}): RoomView {
  const seqs = messages.flatMap((message) => (message.seq === undefined ? [] : [message.seq]));
  return {
    mode: "tail",
    ids: messages.map((message) => message.messageId),
    oldest: seqs[0] ?? 0,
    newest: seqs.at(-1) ?? 0,
    firstSeq: seqs[0] ?? 0,
    lastSeq: seqs.at(-1) ?? 0,
    hasOlder: false,
    hasNewer: false,
    isLoading: false,
    isReady: true,
    newBelow: 0,
    ...over,
  };
}

/** A chat that shows these messages in the room `demo`. */
export function fakeChat(
  messages: readonly ChatMessage[] = [],
  over: Partial<ChatState> = {},
): FakeChat {
  const running = new Map<string, RunningAnswer>();
  const listeners = new Map<string, Set<() => void>>();
  const store = createStore<ChatState>()(() =>
    fakeState({
      messages: new Map(messages.map((message) => [message.messageId, message])),
      views: new Map([["demo", fakeView(messages)]]),
      ...over,
    }),
  );
  return {
    store,
    ui: createUi(),
    url: "http://127.0.0.1:8765/",
    log: { events: [], figures: vi.fn(), subscribe: () => () => {} },
    start: vi.fn(),
    stop: vi.fn(),
    signOut: vi.fn(async () => {}),
    answers: {
      get: (id) => running.get(id),
      byQuestion: (id) => [...running.values()].find((answer) => answer.questionId === id),
      subscribe(id, changed) {
        const of = listeners.get(id) ?? new Set();
        listeners.set(id, of.add(changed));
        return () => void of.delete(changed);
      },
      started: vi.fn(),
      progressed: vi.fn(),
      rowsCame: vi.fn(),
      ended: vi.fn(),
      forget: (id) => void running.delete(id),
      countIn: () => 0,
      put(answer) {
        running.set(answer.answerId, answer);
        for (const changed of listeners.get(answer.answerId) ?? []) changed();
      },
    },
  };
}
