/** What shows a room: read while the connection is made, so that it is there before the messages. */
export { MessageList } from "./MessageList";
