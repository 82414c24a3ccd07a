/**
 * The parts that show a room: loaded while the connection is made, so that they are there before
 * the messages.
 */
export { MessageList } from "./MessageList";
