/**
 * SQL as tokens with their places: enough to know what stands at the cursor; it is not a grammar.
 */
import type { Dialect } from "./names";

export type TokenKind = "word" | "quoted" | "string" | "number" | "comment" | "sign";

export interface Token {
  kind: TokenKind;
  text: string;
  from: number;
  to: number;
  /** It has an end; false for a text, a name or a comment that is still being written. */
  isClosed: boolean;
}

type Parts = Partial<Record<TokenKind | "open_string" | "open_quoted" | "open_comment", string>>;

/** What all dialects have in common. Of two that fit at a place, the first one counts. */
const SHARED: Parts = {
  comment: "/\\*[^]*?\\*/",
  open_comment: "--[^\\n]*|/\\*[^]*",
  string: "'(?:[^']|'')*'(?!')",
  open_string: "'[^]*",
  quoted: '"(?:[^"]|"")*"(?!")|`(?:[^`]|``)*`(?!`)',
  open_quoted: '"[^"]*$|`[^`]*$',
  number: "\\d+(?:\\.\\d+)?(?:[eE][+-]?\\d+)?",
  word: "[\\p{L}_][\\p{L}\\p{N}_$]*",
  sign: "\\S",
};

const WITH_BACKSLASH = "'(?:[^'\\\\]|\\\\[^]|'')*'(?!')";

/** What a dialect writes in its own way. */
const OWN: Record<Dialect, Parts> = {
  sqlite: { quoted: "\\[[^\\]\\n]*\\]", open_quoted: "\\[[^\\]\\n]*$" },
  postgres: {
    string: `[eE]${WITH_BACKSLASH}|\\$(?<tag>\\w*)\\$[^]*?\\$\\k<tag>\\$`,
    open_string: "\\$\\w*\\$[^]*",
  },
  mysql: {
    open_comment: "#[^\\n]*",
    string: `${WITH_BACKSLASH}|"(?:[^"\\\\]|\\\\[^]|"")*"(?!")`,
    open_string: '"[^]*',
  },
};

/** The tokens of a text; white space is left out. */
export function lexed(sql: string, dialect: Dialect): Token[] {
  const tokens: Token[] = [];
  for (const match of sql.matchAll(patternOf(dialect))) {
    const name = nameOf(match.groups ?? {});
    const text = match[0];
    tokens.push({
      kind: name.slice(name.lastIndexOf("_") + 1) as TokenKind,
      text,
      from: match.index,
      to: match.index + text.length,
      isClosed: !name.includes("open_"),
    });
  }
  return tokens;
}

function patternOf(dialect: Dialect): RegExp {
  const own = Object.entries(OWN[dialect]).map(([name, part]) => `(?<own_${name}>${part})`);
  const shared = Object.entries(SHARED).map(([name, part]) => `(?<${name}>${part})`);
  return new RegExp([...own, ...shared].join("|"), "gu");
}

function nameOf(groups: Record<string, string | undefined>): string {
  const found = Object.entries(groups).find(([name, text]) => name !== "tag" && text !== undefined);
  return found?.[0] ?? "sign";
}
