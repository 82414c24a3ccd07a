/** Which part of a text that is still being written is SQL. */
import { looksLikeSql } from "../sql";

/** A stretch of a text. */
export interface Stretch {
  from: number;
  to: number;
}

const STATEMENT =
  /^\s*(?:(select|with|insert|update|delete|values|explain|create|alter|drop|pragma|show|describe)\b)/i;
/**
 * What follows the first word of a statement in lower case, and seldom the first word of a
 * sentence.
 */
const GOES_ON =
  /^\s*(?:select\s+(?!(?:an?|the|my|our|your|one|some|this|that|from)\s)\S|insert\s+into\s|delete\s+from\s|explain\s+(?:select|with)\b|with\s+(?:recursive\s+)?\w+\s+as\b|update\s+\w+\s+set\b)/i;
const COMMAND = /^\s*\/(?:sql|explain)\s/i;
const FENCE = /^[ \t]*```[ \t]*(\w*)[^\n]*$/gm;

/**
 * Where the SQL around a cursor is: the whole text if it begins like a statement, what follows
 * `/sql`, or a block between fences. Undefined in plain text.
 */
export function sqlAround(text: string, cursor: number): Stretch | undefined {
  const command = COMMAND.exec(text);
  if (command !== null)
    return cursor >= command[0].length ? { from: command[0].length, to: text.length } : undefined;
  if (text.includes("```")) return blockAround(text, cursor);
  return isSqlSoFar(text) ? { from: 0, to: text.length } : undefined;
}

/** Whether a text is shown as SQL while it is written: a message would have to say more. */
export function isSqlSoFar(text: string): boolean {
  const first = STATEMENT.exec(text)?.[1];
  if (first === undefined) return looksLikeSql(text);
  return first === first.toUpperCase() || GOES_ON.test(text) || looksLikeSql(text);
}

/** The block of SQL in which a place is; the last one may still lack its end. */
function blockAround(text: string, place: number): Stretch | undefined {
  const fences = [...text.matchAll(FENCE)];
  for (let at = 0; at < fences.length; at += 2) {
    const [open, close] = [fences[at], fences[at + 1]];
    if (open === undefined) return undefined;
    const from = open.index + open[0].length + 1;
    const to = close?.index ?? text.length;
    if (place >= from && place <= to) return isSqlInfo(open[1] ?? "") ? { from, to } : undefined;
  }
  return undefined;
}

function isSqlInfo(info: string): boolean {
  return /^(?:|sql|sqlite|postgres|postgresql|mysql)$/i.test(info);
}
