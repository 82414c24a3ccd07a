/**
 * Where a text names an address of the web. A link says exactly where it leads, so an address whose
 * host could be mistaken for another one stays text: one with a user (`https://bank.example@evil.example`),
 * or with letters other than ASCII in its host.
 */

export interface TextPiece {
  readonly text: string;
  readonly isAddress: boolean;
}

/** The rest of a text stays text. */
const ADDRESSES_MAX = 100;
/** Unit: UTF-16 code units. */
const ADDRESS_CHARS_MAX = 2_000;
// Characters that cannot be seen, or that turn the text, are no part of an address.
const ADDRESS = /\bhttps?:\/\/[^\s<>"`\p{C}]+/giu;
const HAS_PLAIN_HOST = /^https?:\/\/\w[\w.-]*(?::\d{1,5})?(?:[/?#]|$)/i;
/** What more often belongs to the sentence than to the address, at its end. */
const PUNCTUATION = /[.,:;!?'*_~)\]}»”’]/;

/** The text in pieces, with those marked that are addresses. */
export function addressesIn(text: string): TextPiece[] {
  const pieces: TextPiece[] = [];
  let from = 0;
  for (const match of text.matchAll(ADDRESS)) {
    const address = withoutPunctuation(match[0]);
    // What ends so was cut, and leads elsewhere.
    const isCut = match[0].includes("…");
    if (isCut || address.length > ADDRESS_CHARS_MAX || !HAS_PLAIN_HOST.test(address)) continue;
    if (match.index > from) pieces.push({ text: text.slice(from, match.index), isAddress: false });
    pieces.push({ text: address, isAddress: true });
    from = match.index + address.length;
    if (pieces.length > 2 * ADDRESSES_MAX) break;
  }
  if (from < text.length) pieces.push({ text: text.slice(from), isAddress: false });
  return pieces;
}

/** A bracket at the end belongs to the address if the address has opened it. */
function withoutPunctuation(text: string): string {
  let open = text.split("(").length - text.split(")").length;
  let end = text.length;
  for (; PUNCTUATION.test(text.charAt(end - 1)); end -= 1) {
    if (text.charAt(end - 1) !== ")") continue;
    if (open >= 0) break;
    open += 1;
  }
  return text.slice(0, end);
}
