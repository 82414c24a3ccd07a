/**
 * How high a message will probably be, for as long as it is not drawn: near the truth, and cheap to
 * compute.
 */
import type { ChatMessage } from "../websocket/types";
import { isDatabase } from "./authors";

const LINE = 22;
const CHARS_IN_LINE = 90;
const LINES_MAX = 21;
const TABLE_ROW = 28;
const TABLE_MAX = 320;
/** Head and foot of an answer. */
const CARD = 96;

/** Unit: px. */
export function probableHeight(message: ChatMessage | undefined): number {
  if (message === undefined) return 2 * LINE;
  if (isDatabase(message.userId)) {
    const rows = message.answer?.rowCount ?? 3;
    return CARD + Math.min((rows + 1) * TABLE_ROW, TABLE_MAX);
  }
  const lines = Math.min(Math.ceil((message.content.length + 1) / CHARS_IN_LINE), LINES_MAX);
  return (lines + 1) * LINE;
}
