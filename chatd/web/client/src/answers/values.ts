/**
 * How one value of a row is shown and read out: exactly as it was sent, and never as anything but
 * text. What a reader could not see, or what would turn the text around it, gets a visible sign.
 */
import type { Cell } from "../websocket/types";

/** Characters of a value that a table shows; the rest is a click away. */
export const CELL_CHARS = 200;
/** Characters of a value that are shown whole at once; more of them would hold up the page. */
export const WHOLE_CHARS = 100_000;
/** Characters that are laid out together. */
const PIECE_CHARS = 5_000;
/** Bytes that a table shows as hexadecimal digits. */
const BYTES_SHOWN = 16;
/** How many levels of JSON are indented; deeper ones are indented no further. */
const INDENT_MAX = 40;

/** A value as a table shows it, on one line. */
export interface ShownCell {
  text: string;
  /** Whether the value has more than is shown. */
  isCut: boolean;
}

export type Bytes = { $bytes: string };

/** Whether a value is one of bytes. */
export function isBytes(cell: unknown): cell is Bytes {
  return typeof cell === "object" && cell !== null && typeof (cell as Bytes).$bytes === "string";
}

/**
 * A value as a table shows it.
 *
 * @example shownCell(null) is "NULL", shownCell({ $bytes: "AP8=" }) is "0x00ff (2 bytes)"
 */
export function shownCell(cell: Cell | undefined): ShownCell {
  if (typeof cell === "string") return shownText(cell);
  if (isBytes(cell)) return shownBytes(cell.$bytes);
  return { text: wholeText(cell), isCut: false };
}

/** All of a value, as it is copied: a text as it is, bytes as hexadecimal digits. */
export function wholeText(cell: Cell | undefined): string {
  if (cell === null || cell === undefined) return "NULL";
  if (typeof cell === "string") return cell;
  if (typeof cell === "number") return Object.is(cell, -0) ? "-0" : String(cell);
  if (typeof cell === "boolean") return cell ? "true" : "false";
  if (!isBytes(cell)) return foreign(cell);
  const bytes = decoded(cell.$bytes);
  return bytes === undefined ? cell.$bytes : `0x${hexadecimal(bytes)}`;
}

/** A value and its line breaks, with a sign for each character that cannot be seen. */
export function readable(text: string): string {
  return text.replace(UNSEEN, (char) => (char === "\n" || char === "\t" ? char : picture(char)));
}

/** A text on one line: a sign stands for each line break. */
export function oneLine(text: string): string {
  return text
    .replace(LINE_BREAK, "⏎")
    .replace(UNSEEN, (char) => (char === "\t" ? " " : picture(char)));
}

/** The beginning of a text, without half a character at its end. */
export function beginning(text: string, chars: number): string {
  const last = text.charCodeAt(chars - 1);
  const isHalf = text.length > chars && last >= 0xd800 && last <= 0xdbff;
  return text.slice(0, isHalf ? chars - 1 : chars);
}

/**
 * A text in pieces that are laid out one by one, at the ends of its lines where that is possible: a
 * browser takes seconds for one line of a megabyte. A piece stands on lines of its own, so the line
 * break at its end is left out.
 */
export function piecesOf(text: string): string[] {
  const pieces: string[] = [];
  let from = 0;
  while (text.length - from > PIECE_CHARS) {
    const most = beginning(text.slice(from, from + PIECE_CHARS + 1), PIECE_CHARS);
    const lineEnd = most.lastIndexOf("\n");
    pieces.push(lineEnd < 0 ? most : most.slice(0, lineEnd));
    from += lineEnd < 0 ? most.length : lineEnd + 1;
  }
  pieces.push(text.slice(from));
  return pieces;
}

/**
 * JSON with its lines indented; undefined if the text is not JSON, or is neither a list nor an
 * object. Only the white space changes: numbers keep all of their digits, and keys their order.
 */
export function prettyJson(text: string): string | undefined {
  if (!/^\s*[[{]/.test(text) || text.length > WHOLE_CHARS) return undefined;
  try {
    JSON.parse(text);
  } catch {
    return undefined;
  }
  return indented(text);
}

const LINE_BREAK = /\r\n|[\n\r\v\f\u0085\u2028\u2029]/g;
// Controls, what turns the direction of the text, what has no width, and halves of characters.
const UNSEEN =
  // oxlint-disable-next-line no-control-regex -- these are the characters that it looks for
  /[\u0000-\u001f\u007f-\u009f\u061c\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\ufeff]|[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g;

/** The sign for a character that cannot be seen. */
function picture(char: string): string {
  const code = char.charCodeAt(0);
  if (code < 0x20) return String.fromCharCode(0x2400 + code);
  return code === 0x7f ? "␡" : "\ufffd";
}

function shownText(text: string): ShownCell {
  // Of a long value, only as much is looked at as can be shown.
  const start = beginning(text, CELL_CHARS);
  const isCut = start.length < text.length;
  return { text: oneLine(start) + (isCut ? "…" : ""), isCut };
}

function shownBytes(encoded: string): ShownCell {
  const size = byteLength(encoded);
  const bytes = decoded(encoded.slice(0, 4 * Math.ceil(BYTES_SHOWN / 3)));
  if (bytes === undefined || size === undefined) {
    const shown = shownText(encoded);
    return { text: `(not base64) ${shown.text}`, isCut: shown.isCut };
  }
  const isCut = size > BYTES_SHOWN;
  const digits = hexadecimal(bytes.subarray(0, BYTES_SHOWN));
  const told = `${size.toLocaleString()} ${size === 1 ? "byte" : "bytes"}`;
  return { text: `0x${digits}${isCut ? "…" : ""} (${told})`, isCut };
}

/** How many bytes base64 stands for, without decoding it; undefined if it is not base64. */
function byteLength(encoded: string): number | undefined {
  if (encoded.length % 4 !== 0) return undefined;
  const padding = encoded.endsWith("==") ? 2 : encoded.endsWith("=") ? 1 : 0;
  return (encoded.length / 4) * 3 - padding;
}

function decoded(encoded: string): Uint8Array | undefined {
  try {
    return Uint8Array.from(atob(encoded), (char) => char.charCodeAt(0));
  } catch {
    return undefined;
  }
}

function hexadecimal(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** A value that today's servers do not send, but a newer one may. */
function foreign(cell: unknown): string {
  try {
    return JSON.stringify(cell) ?? String(cell);
  } catch {
    return "?";
  }
}

/** Valid JSON, part by part, each with the white space that belongs before it. */
function indented(json: string): string {
  let depth = 0;
  let before = "";
  let text = "";
  for (const [part] of json.matchAll(/"(?:[^"\\]|\\.)*"|[[\]{},:]|[^\s[\]{},:"]+/g)) {
    const closes = part === "]" || part === "}";
    if (closes) depth -= 1;
    const isEmpty = closes && (before === "[" || before === "{");
    const breaks = closes ? !isEmpty : before === "[" || before === "{" || before === ",";
    if (breaks && text !== "") text += `\n${"  ".repeat(Math.min(depth, INDENT_MAX))}`;
    text += part === ":" ? ": " : part;
    if (part === "[" || part === "{") depth += 1;
    before = part;
  }
  return text;
}
