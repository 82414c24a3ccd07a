/** The state of a chat that knows nothing yet, without its functions. */
import type { ChatState } from "./state";

type Functions = {
  [K in keyof ChatState]: ChatState[K] extends (...given: never[]) => unknown ? K : never;
}[keyof ChatState];

export type Facts = Omit<ChatState, Functions>;

/** What belongs to a user, and goes with the user. */
export function nobodysFacts() {
  return {
    messages: new Map(),
    pendingMessages: new Set<string>(),
    typingUsers: new Map(),
    presence: new Map(),
    pacing: undefined,
    me: undefined,
    epoch: undefined,
    expiringAt: undefined,
    tokenRefusal: undefined,
    rooms: [],
    room: "",
    views: new Map(),
    names: new Map(),
    thread: undefined,
    search: undefined,
    schemas: new Map(),
    notices: [],
    waiting: new Map(),
    target: undefined,
  } satisfies Partial<Facts>;
}

export function initialFacts(): Facts {
  return {
    ...nobodysFacts(),
    isConnected: false,
    reconnectAttempts: 0,
    connection: { phase: "idle", attempt: 0 },
    server: undefined,
    limits: undefined,
  };
}
