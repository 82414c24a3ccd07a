/** Just enough SQL to colour it, and to guess whether a text is SQL. Only the server decides. */

export type TokenKind = "word" | "text" | "number" | "comment" | "name" | "plain";

export interface Token {
  readonly kind: TokenKind;
  readonly text: string;
}

/**
 * If a text has more pieces than this, the rest is one plain piece, so that no text makes a page
 * slow.
 */
const TOKENS_MAX = 2_000;

const WORDS = new Set(
  (
    "select from where group by order having limit offset fetch first next rows only join left right " +
    "inner outer full cross natural lateral on using as and or not in is null like ilike similar to " +
    "between case when then else end with recursive materialized union all any some intersect except " +
    "distinct insert into values update set delete create table view index drop alter add column " +
    "explain analyze pragma describe show desc asc nulls last exists true false cast over partition " +
    "window filter returning default primary key foreign references unique check constraint if replace " +
    "temporary temp collate glob regexp escape range preceding following current row interval"
  ).split(" "),
);

// Each alternative takes at least one character and never looks back: the whole is linear.
const PIECE = new RegExp(
  [
    String.raw`(?<comment>--[^\n]*|/\*[^]*?(?:\*/|$))`,
    String.raw`(?<text>'[^']*'?)`,
    String.raw`(?<name>"[^"]*"?|` + "`[^`]*`?)",
    String.raw`(?<dollar>\$(?:[\p{L}_][\p{L}\p{N}_]*)?\$)`,
    String.raw`(?<number>\d[\d\w.]*)`,
    String.raw`(?<word>[\p{L}_][\p{L}\p{N}_$]*)`,
    String.raw`(?<plain>\s+|[^])`,
  ].join("|"),
  "gu",
);

/**
 * The pieces of a statement, in their order; joined they are the statement.
 *
 * @example tokensOf("SELECT 'a'") is [{word SELECT}, {plain " "}, {text 'a'}]
 */
export function tokensOf(sql: string): Token[] {
  const tokens: Token[] = [];
  const piece = new RegExp(PIECE);
  for (let match = piece.exec(sql); match !== null; match = piece.exec(sql)) {
    if (tokens.length >= TOKENS_MAX) {
      add(tokens, "plain", sql.slice(match.index));
      break;
    }
    const groups = match.groups ?? {};
    if (groups["dollar"] !== undefined) {
      const end = endOfDollarText(sql, piece.lastIndex, match[0]);
      add(tokens, "text", sql.slice(match.index, end));
      piece.lastIndex = end;
    } else {
      add(tokens, kindOf(groups), match[0]);
    }
  }
  return tokens;
}

/**
 * A statement for one line: its comments are left out, as one that ends with its line would seem to
 * hold all that follows.
 */
export function uncommented(sql: string): string {
  let line = "";
  for (const { kind, text } of tokensOf(sql)) {
    const piece = kind === "comment" ? " " : kind === "plain" ? text.replace(/\s+/g, " ") : text;
    line += line.endsWith(" ") ? piece.trimStart() : piece;
  }
  return line.trim();
}

/**
 * Where a text ends that begins with a tag, such as `$$` or `$body$`: after the same tag, or
 * nowhere.
 */
function endOfDollarText(sql: string, from: number, tag: string): number {
  const at = sql.indexOf(tag, from);
  return at < 0 ? sql.length : at + tag.length;
}

function kindOf(groups: Record<string, string | undefined>): TokenKind {
  if (groups["comment"] !== undefined) return "comment";
  if (groups["text"] !== undefined) return "text";
  if (groups["name"] !== undefined) return "name";
  if (groups["number"] !== undefined) return "number";
  return isWord(groups["word"] ?? "") ? "word" : "plain";
}

/** Whether it is a word of SQL itself, in capitals or not. */
export function isWord(text: string): boolean {
  return WORDS.has(text.toLowerCase());
}

function add(tokens: Token[], kind: TokenKind, text: string): void {
  const last = tokens.at(-1);
  if (last?.kind === kind) tokens[tokens.length - 1] = { kind, text: last.text + text };
  else tokens.push({ kind, text });
}

/** So much of a text is looked at to guess what it is. Unit: UTF-16 code units. */
const LOOKED_AT = 2_000;
const LEADING = /(?:\s|[(;]|--[^\n]*(?:\n|$)|\/\*[^]*?(?:\*\/|$))*/y;

/** What follows the first word of a statement that is written in lower case. */
const SHAPES: Readonly<Record<string, RegExp>> = {
  select: /^\s+(?:distinct\b|\*|['"\d(]|[^]*?(?:\bfrom\s+\S|[*=();]))/,
  with: /^\s+(?:recursive\s+)?[\w"]+\s*(?:\([^)]*\)\s*)?as\s*\(/,
  insert: /^\s+(?:or\s+\w+\s+)?into\s+\S+\s*(?:\(|values\b|select\b|default\b)/,
  update: /^\s+\S+\s+set\s+\S+\s*=/,
  delete: /^\s+from\s+\S+\s*(?:;|$|where\b)/,
  create: /^\s+(?:or\s+replace\s+)?(?:temp\w*\s+|unique\s+)?(?:table|view|index)\s+\S/,
  alter: /^\s+table\s+\S/,
  drop: /^\s+(?:table|view|index)\s+\S/,
  explain: /^\s+(?:query\s+plan\s+|analyze\s+)?(?:select|with|insert|update|delete|values)\b/,
  pragma: /^\s+\w+\s*(?:[(=;]|$)/,
  values: /^\s*\(/,
  describe: /^\s+[\w."]+\s*;?\s*$/,
  show: /^\s+(?:tables|databases|schemas|columns\s+from\s+\S+)\s*;?\s*$/,
};

/** Words that no statement has, and most sentences have. */
const PROSE = /\b(?:the|an?|my|our|your|please|you|we|me|this|that|these|those)\s/i;
const MARKS = /[*=();<>"'`]|\b\w+\.\w+\b/;

/** Whether a message is probably a statement, so that it is shown as one. */
export function looksLikeSql(text: string): boolean {
  const head = text.slice(0, LOOKED_AT);
  if (/^\s*\/(?:sql|explain)\s+\S/i.test(head)) return true;
  LEADING.lastIndex = 0;
  const begun = head.slice(LEADING.exec(head)?.[0].length ?? 0);
  const first = /^[A-Za-z]+\b/.exec(begun)?.[0] ?? "";
  const shape = SHAPES[first.toLowerCase()];
  if (shape === undefined || !Object.hasOwn(SHAPES, first.toLowerCase())) return false;
  const rest = begun.slice(first.length);
  if (!shape.test(rest.toLowerCase())) return isShouted(first, rest);
  return first === first.toUpperCase() || MARKS.test(rest) || !PROSE.test(rest);
}

/**
 * A first word in capitals with a mark of SQL after it is meant as SQL, even if it has mistakes.
 */
function isShouted(first: string, rest: string): boolean {
  return first === first.toUpperCase() && MARKS.test(rest) && !PROSE.test(rest);
}
