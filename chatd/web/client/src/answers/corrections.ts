/**
 * What an error's sentence says about the statement: the place, and what may have been meant. It
 * reads the server's own sentences; any other sentence tells nothing, and is only shown.
 */

/** A word of a statement, by where it begins and ends in it. */
export interface Span {
  from: number;
  to: number;
}

/** A name that may have been meant, and the statement with it in its place. */
export interface Correction {
  name: string;
  statement: string;
}

/** How many names are offered at most. */
const NAMES_MAX = 3;
const PLACE = /\b(?:line (\d{1,6}), column (\d{1,6}))\b/;
const WORD = /"(?:[^"]|"")*"|`[^`]*`|\[[^\]]*\]|[\p{L}\p{N}_$]+|[^\s]/uy;
const NAMES = /; did you mean ([^?]{1,999})\?\s*$/;
const MISSING = [
  /no such (?:table|column): ["'`]?([^"'`;]+?)["'`]?(?:;|\.? \(|\. |\.?$)/,
  /has no column named ["'`]?([^"'`;]+?)["'`]?(?:;|\.? \(|\. |\.?$)/,
  /relation ["'`]?([^"'`]+?)["'`]? does not exist/,
  /column ["'`]?([^"'`]+?)["'`]? does not exist/,
  /Table ["'`]?([^"'`]+?)["'`]? doesn't exist/,
  /There is no function (\w+);/,
  /There is no table ["'`]?([^"'`]+?)["'`]?(?: here|\.|;)/,
];

/** What stands before the statement in a text that was asked: a command, the opening of a block. */
const BEFORE = /^\s*(?:\/(?:sql|explain):?\s+)?(?:[^\n]*(?:```|~~~)[^\n]*\n\s*)?/i;

/**
 * The word at the place that an error names; undefined if it names none. The place counts from the
 * beginning of the statement, even if the text has a command before it, as it was asked.
 */
export function placeOf(message: string, text: string): Span | undefined {
  const match = PLACE.exec(message);
  if (match === null) return undefined;
  const before = BEFORE.exec(text)?.[0].length ?? 0;
  const span = spanAt(text.slice(before), Number(match[1]), Number(match[2]));
  return span && { from: span.from + before, to: span.to + before };
}

/** The word of a statement in a line and a column, both from 1. */
function spanAt(statement: string, lineNumber: number, column: number): Span | undefined {
  const lines = statement.split("\n");
  const line = lines[lineNumber - 1];
  if (line === undefined) return undefined;
  const above = lines.slice(0, lineNumber - 1).reduce((sum, { length }) => sum + length + 1, 0);
  // The server counts characters, and a string of JavaScript halves of some of them.
  const at = Array.from(line)
    .slice(0, column - 1)
    .join("").length;
  return at >= line.length ? undefined : wordAt(statement, above + at);
}

/** What may have been meant, nearest first, if the error says so and the word is found. */
export function correctionsOf(message: string, statement: string): Correction[] {
  const names = namesOf(message);
  if (names.length === 0) return [];
  const spans = wrongSpans(message, statement);
  return spans.length === 0
    ? []
    : names.map((name) => ({ name, statement: replaced(statement, spans, name) }));
}

const HINTED = /^(?:There is no (\/\S+?)|(\S+) is no word of SQL); did you mean (\/?\w+)/;

/** The message with the word that its hint suggests; undefined if the hint suggests none. */
export function hintCorrection(hint: string, text: string): Correction | undefined {
  const [, command, word, name] = HINTED.exec(hint) ?? [];
  const wrong = command ?? word;
  if (wrong === undefined || name === undefined) return undefined;
  const from = text.toLowerCase().indexOf(wrong.toLowerCase());
  if (from < 0) return undefined;
  return { name, statement: text.slice(0, from) + name + text.slice(from + wrong.length) };
}

/** The names at the end of "...; did you mean a, b or c?". */
function namesOf(message: string): string[] {
  const match = NAMES.exec(message);
  if (match?.[1] === undefined) return [];
  const names = match[1].split(/, | or (?=(?:[^"]*"[^"]*")*[^"]*$)/).map((name) => name.trim());
  return names.filter((name) => name !== "").slice(0, NAMES_MAX);
}

/** Where the statement has what the error complains about. */
function wrongSpans(message: string, statement: string): Span[] {
  const place = placeOf(message, statement);
  const missing = missingName(message);
  if (place !== undefined && missing === undefined) return [place];
  if (missing === undefined) return [];
  return spansOf(statement, missing);
}

function missingName(message: string): string | undefined {
  for (const pattern of MISSING) {
    const match = pattern.exec(message);
    if (match?.[1] !== undefined) return match[1];
  }
  return undefined;
}

/**
 * Each place where a name stands outside of strings and comments. Of a name with dots, only the
 * last part counts: the table or the schema before it is right, or has an error of its own.
 */
function spansOf(statement: string, name: string): Span[] {
  const last = name.split(".").at(-1)?.toLowerCase() ?? "";
  const spans: Span[] = [];
  for (const match of statement.matchAll(PARTS)) {
    const [text, skipped] = match;
    if (skipped !== undefined) continue;
    const plain = text.replace(/^["`[]|["`\]]$/g, "").toLowerCase();
    if (plain === last) spans.push({ from: match.index, to: match.index + text.length });
  }
  return spans;
}

const PARTS =
  /(--[^\n]*|\/\*[\s\S]*?(?:\*\/|$)|'(?:[^']|'')*'?)|"(?:[^"]|"")*"|`[^`]*`|\[[^\]]*\]|[\p{L}_][\p{L}\p{N}_$]*/gu;

function replaced(statement: string, spans: readonly Span[], name: string): string {
  let text = "";
  let from = 0;
  for (const span of spans) {
    // A name with its schema replaces the schema that stands there too.
    text += statement.slice(from, span.from) + bare(name, statement, span);
    from = span.to;
  }
  return text + statement.slice(from);
}

/** The name, without its schema if one already stands before the place. */
function bare(name: string, statement: string, span: Span): string {
  const hasSchema = /^[\w$]+\.[\w$]+$/.test(name);
  return hasSchema && statement[span.from - 1] === "." ? (name.split(".")[1] ?? name) : name;
}

function wordAt(statement: string, at: number): Span {
  WORD.lastIndex = at;
  const match = WORD.exec(statement);
  return { from: at, to: at + (match?.[0].length ?? 1) };
}
