/** How well a name matches what was typed: for lists that are narrowed by a few letters. */

/**
 * Names that match, best first: those that begin with it, those with a word that does, those that
 * hold it, those that hold its letters in order.
 */
export function bestMatches<T>(
  typed: string,
  things: readonly T[],
  nameOf: (thing: T) => string,
): T[] {
  const wanted = typed.trim().toLocaleLowerCase();
  return things
    .map((thing, at) => ({ thing, at, rank: rankOf(wanted, nameOf(thing).toLocaleLowerCase()) }))
    .filter(({ rank }) => rank < NO_MATCH)
    .toSorted((one, other) => one.rank - other.rank || one.at - other.at)
    .map(({ thing }) => thing);
}

const NO_MATCH = 4;

function rankOf(wanted: string, name: string): number {
  if (name.startsWith(wanted)) return 0;
  const at = name.indexOf(wanted);
  if (at > 0 && /[^\p{L}\p{N}]/u.test(name[at - 1] ?? "")) return 1;
  if (at > 0) return 2;
  return hasInOrder(wanted, name) ? 3 : NO_MATCH;
}

function hasInOrder(letters: string, name: string): boolean {
  let from = 0;
  for (const letter of letters) {
    from = name.indexOf(letter, from) + 1;
    if (from === 0) return false;
  }
  return true;
}
