/** Which tables a statement names, by which aliases, and which names are expected at a place. */
import { isWord } from "../sql";
import type { Token } from "./lexer";
import { unquoted } from "./names";

/** A table of a statement: `FROM shop.orders AS o`. */
export interface NamedTable {
  /** The name, and the schema before it if there is one, without quotes. */
  path: readonly string[];
  alias?: string;
}

export interface Scope {
  tables: readonly NamedTable[];
  /** Names that the statement itself defines: by WITH, and by queries in FROM. */
  own: readonly string[];
}

/** A table follows one of these. */
const BEFORE_TABLE = new Set(["from", "join", "into", "update", "table", "describe"]);
/** These end the tables of a FROM. */
const AFTER_TABLES = new Set(
  (
    "with select where on using set group order having limit offset values union intersect except " +
    "returning window fetch for"
  ).split(" "),
);
/** These may stand between a table and the next one, and are not aliases. */
const NO_ALIAS = new Set([
  ...BEFORE_TABLE,
  ...AFTER_TABLES,
  ..."as inner left right full outer cross natural lateral only indexed not tablesample default".split(
    " ",
  ),
]);

/** What stands in these clauses can get a name of its own, after AS or without it. */
const NAMING = new Set(["select", "returning", "from", "join", "update"]);
/** Words of SQL that can be the end of an expression, as what they say or as names. */
const ENDS = /^(?:end|null|true|false|key|row|range|first|last|next|view|column|index|check)$/i;

/** The tokens of the statement in which a place is. */
export function statementAt(tokens: readonly Token[], place: number): Token[] {
  const before = tokens.findLastIndex((token) => isEnd(token) && token.to <= place);
  const after = tokens.findIndex((token) => isEnd(token) && token.from >= place);
  return tokens
    .slice(before + 1, after < 0 ? undefined : after)
    .filter((token) => token.kind !== "comment");
}

function isEnd({ kind, text }: Token): boolean {
  return kind === "sign" && text === ";";
}

/** Whether a table is expected after these tokens of one statement. */
export function expectsTable(before: readonly Token[]): boolean {
  return new Reader(before).read().expects;
}

/**
 * Whether a name that is written after these tokens of one statement is a new one: as an alias, or
 * the name of a query of WITH. "maybe": if no word of SQL stands there, which goes on.
 *
 * @example after "SELECT * FROM orders" it may be: "o" would be an alias, and "WHERE" a word
 */
export function expectsNewName(before: readonly Token[]): "yes" | "maybe" | "no" {
  const { clause } = new Reader(before).read();
  const last = before.at(-1);
  if (clause === "with") return /^(?:with|recursive|,)$/i.test(last?.text ?? "") ? "yes" : "no";
  const canName = NAMING.has(clause);
  if (last?.text.toLowerCase() === "as") return canName || clause === "into" ? "yes" : "no";
  return canName && endsExpression(before) ? "maybe" : "no";
}

function endsExpression(before: readonly Token[]): boolean {
  const last = before.at(-1);
  if (last?.kind === "sign") return ")]".includes(last.text);
  if (last?.kind !== "word") return true;
  return before.at(-2)?.text === "." || !isWord(last.text) || ENDS.test(last.text);
}

/** What a statement names. */
export function scopeOf(statement: readonly Token[]): Scope {
  const { tables, own } = new Reader(statement).read();
  return { tables, own };
}

/** One level of parentheses. */
interface Frame {
  /** The word that began its last clause, in lower case. */
  clause: string;
  expects: boolean;
}

/** Walks a statement from its beginning to its end. */
class Reader {
  private readonly tables: NamedTable[] = [];
  private readonly own: string[] = [];
  private readonly frames: Frame[] = [{ clause: "", expects: false }];
  private at = 0;

  constructor(private readonly tokens: readonly Token[]) {}

  read(): Scope & Frame {
    for (; this.at < this.tokens.length; this.at++) this.take(this.tokens[this.at] as Token);
    return { tables: this.tables, own: this.own, ...this.frame };
  }

  /** The innermost one; the outermost one never goes. */
  private get frame(): Frame {
    return this.frames.at(-1) as Frame;
  }

  private take(token: Token): void {
    if (token.kind === "sign") this.takeSign(token.text);
    else if (token.kind === "quoted") this.takeName(token);
    else if (token.kind === "word") this.takeWord(token);
  }

  private takeSign(sign: string): void {
    if (sign === "(") this.frames.push({ clause: "", expects: false });
    if (sign === ")") this.leave();
    if (sign === "," && BEFORE_TABLE.has(this.frame.clause)) this.frame.expects = true;
  }

  private leave(): void {
    if (this.frames.length > 1) this.frames.pop();
    if (!this.frame.expects) return;
    // A query stood in place of a table: only its alias is known.
    this.frame.expects = false;
    const alias = this.alias();
    if (alias !== undefined) this.own.push(alias);
  }

  private takeWord(token: Token): void {
    const word = token.text.toLowerCase();
    const expects = BEFORE_TABLE.has(word);
    if (expects || AFTER_TABLES.has(word)) Object.assign(this.frame, { clause: word, expects });
    else if (word === "lateral" || word === "only") return;
    else this.takeName(token);
  }

  private takeName(token: Token): void {
    if (!this.frame.expects) {
      if (this.isOwn()) this.own.push(unquoted(token.text));
      return;
    }
    this.frame.expects = false;
    const path = [unquoted(token.text)];
    while (this.isSign(1, ".") && this.isName(2)) {
      path.push(unquoted((this.tokens[this.at + 2] as Token).text));
      this.at += 2;
    }
    // A name that ends with a dot is still being written: the table is expected after it.
    if (this.isSign(1, ".")) {
      this.frame.expects = this.at + 2 >= this.tokens.length;
      return;
    }
    const alias = this.alias();
    this.tables.push(alias === undefined ? { path } : { path, alias });
  }

  /** Whether a name that WITH defines stands here: `name AS (`, or `name (columns) AS (`. */
  private isOwn(): boolean {
    if (this.isWord(1, "as") && this.isSign(2, "(")) return true;
    if (!this.isSign(1, "(")) return false;
    const rest = this.tokens.slice(this.at + 2);
    const close = rest.findIndex((token) => token.text === ")");
    const next = 2 + close + 1;
    return close >= 0 && this.isWord(next, "as") && this.isSign(next + 1, "(");
  }

  private alias(): string | undefined {
    const step = this.isWord(1, "as") ? 2 : 1;
    if (!this.isName(step)) return undefined;
    const { text } = this.tokens[this.at + step] as Token;
    if (NO_ALIAS.has(text.toLowerCase())) return undefined;
    this.at += step;
    return unquoted(text);
  }

  private isName(step: number): boolean {
    const kind = this.tokens[this.at + step]?.kind;
    return kind === "word" || kind === "quoted";
  }

  private isSign(step: number, sign: string): boolean {
    const token = this.tokens[this.at + step];
    return token?.kind === "sign" && token.text === sign;
  }

  private isWord(step: number, word: string): boolean {
    return this.tokens[this.at + step]?.text.toLowerCase() === word;
  }
}
