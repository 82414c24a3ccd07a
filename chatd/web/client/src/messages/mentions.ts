/** Where a message names somebody by `@`. The server says who is meant, and this finds the place. */

export interface Segment {
  readonly text: string;
  /** The user who is mentioned there. */
  readonly userId?: string;
}

/** A user who is mentioned, and what a message may call that user. */
export interface Mentioned {
  readonly userId: string;
  readonly names: readonly string[];
}

/** At most so many `@` are looked at: a text of nothing but `@` need not be marked. */
const SIGNS_MAX = 300;
const WORD = /[\p{L}\p{N}_]/u;

interface Called {
  readonly name: string;
  readonly userId: string;
}

/** The text in pieces; those that mention one of these users are marked. */
export function mentionsIn(text: string, mentioned: readonly Mentioned[]): Segment[] {
  const called = calledOf(mentioned);
  const segments: Segment[] = [];
  let from = 0;
  let signs = 0;
  for (let at = text.indexOf("@"); at >= 0 && signs < SIGNS_MAX; at = text.indexOf("@", at + 1)) {
    signs += 1;
    if (at < from || WORD.test(text[at - 1] ?? "")) continue;
    const found = called.find(({ name }) => isNamed(text, at + 1, name));
    if (found === undefined) continue;
    if (at > from) segments.push({ text: text.slice(from, at) });
    from = at + 1 + found.name.length;
    segments.push({ text: text.slice(at, from), userId: found.userId });
  }
  if (from < text.length) segments.push({ text: text.slice(from) });
  return segments;
}

/** All names, the longest first, so that `@Ada Byron` is not taken for `@Ada`. */
function calledOf(mentioned: readonly Mentioned[]): Called[] {
  return mentioned
    .flatMap(({ userId, names }) =>
      [userId, ...names]
        .filter((name) => name !== "")
        .map((name) => ({ userId, name: name.toLowerCase() })),
    )
    .toSorted((one, other) => other.name.length - one.name.length);
}

function isNamed(text: string, at: number, name: string): boolean {
  const end = at + name.length;
  return text.slice(at, end).toLowerCase() === name && !WORD.test(text[end] ?? "");
}
