/** Why a message was not sent, in words. The text stays in the box in each case. */
import { counted } from "../format";
import { isBlank, type Length } from "./counting";

const UNWRITABLE =
  "This browser stores nothing, so the message cannot wait here. Your text stays; try again.";
const UNKNOWN = "The message could not be sent. Your text stays; try again.";

/** What a refusal of the outbox says; its own sentence, if it has one. */
export function refusalOf(error: unknown): string {
  if (!(error instanceof Error)) return UNKNOWN;
  if (error.name === "OutboxFull") return error.message;
  return error.name === "OutboxUnwritable" ? UNWRITABLE : UNKNOWN;
}

/**
 * Why a text cannot be sent as it is; "" if there is nothing to send, undefined if it can be sent.
 */
export function obstacleOf(text: string, length: Length): string | undefined {
  if (isBlank(text)) return "";
  if (text.includes("\0")) return "The text holds a character (NUL) that no message may hold.";
  if (length.over === 0) return undefined;
  return `The message is ${counted(length.over, "character")} too long. Shorten it, or send it in parts.`;
}

export const UNKEPT =
  "This browser does not keep what you write: it is lost when this page is closed or reloaded.";
