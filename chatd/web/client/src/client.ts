/** The chat without React: state, outbox, connection. */
export { createChat } from "./stores/createChat";
export type { Chat, ChatOptions, SignedOut } from "./stores/chat";
export type * from "./stores/state";
export type * from "./websocket/types";
export type * as wire from "./websocket/wire.gen";
