/** Why a message was not sent, in words. The text stays in the box in each case. */
import { counted } from "../format";
import { isBlank, type Length } from "./counting";

const UNWRITABLE =
  "This browser stores nothing, so the message cannot wait here. Your text stays; try it again.";
const UNKNOWN = "The message could not be sent. Your text stays; try it again.";

/** What the outbox says by refusing; its own sentence, where it has one. */
export function refusalOf(error: unknown): string {
  if (!(error instanceof Error)) return UNKNOWN;
  if (error.name === "OutboxFull") return error.message;
  return error.name === "OutboxUnwritable" ? UNWRITABLE : UNKNOWN;
}

/** Why a text cannot be sent as it is; "" where there is nothing to send, undefined where it can. */
export function obstacleOf(text: string, length: Length): string | undefined {
  if (isBlank(text)) return "";
  if (text.includes("\0")) return "The text holds a character (NUL) that no message may hold.";
  if (length.over === 0) return undefined;
  return `The message is ${counted(length.over, "character")} too long. Shorten it, or send it in parts.`;
}

export const UNKEPT =
  "This browser does not keep what you write: it is lost when this page is closed or loaded again.";
