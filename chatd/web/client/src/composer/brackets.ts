/** The brackets at a cursor, by tokens: those within texts and comments do not count. */
import type { Token } from "./lexer";

const CLOSING: Readonly<Record<string, string>> = { "(": ")", "[": "]", "{": "}" };
const OPENING = new Set(Object.keys(CLOSING));

/**
 * The bracket at the cursor and its partner; the bracket alone if it has no partner; undefined if
 * no bracket is there. Of two at the cursor, the one before it counts.
 */
export function bracketPair(tokens: readonly Token[], cursor: number): Token[] | undefined {
  const own =
    tokens.find((token) => token.to === cursor && isBracket(token)) ??
    tokens.find((token) => token.from === cursor && isBracket(token));
  if (own === undefined) return undefined;
  const open: Token[] = [];
  for (const token of tokens.filter(isBracket)) {
    if (OPENING.has(token.text)) {
      open.push(token);
      continue;
    }
    const opener = open.at(-1);
    if (opener === undefined || CLOSING[opener.text] !== token.text) {
      if (token === own) break;
      continue;
    }
    open.pop();
    if (opener === own || token === own) return [opener, token];
  }
  return [own];
}

function isBracket({ kind, text }: Token): boolean {
  return kind === "sign" && (OPENING.has(text) || Object.values(CLOSING).includes(text));
}
