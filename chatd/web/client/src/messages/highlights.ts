/** The matches of a search within the text around them. */

export interface Stretch {
  readonly text: string;
  readonly isHit: boolean;
}

/**
 * A snippet in pieces. Places count code points, as the server does: a sign beyond U+FFFF is one.
 * Places that overlap, lie outside or are not places at all are corrected or left out.
 */
export function highlighted(snippet: string, places: readonly (readonly number[])[]): Stretch[] {
  const points = Array.from(snippet);
  const stretches: Stretch[] = [];
  let at = 0;
  const sorted = places
    .map(([from, to]) => [clamp(from, points.length), clamp(to, points.length)] as const)
    .toSorted((one, other) => one[0] - other[0]);
  for (const [from, to] of sorted) {
    const begin = Math.max(from, at);
    if (to <= begin) continue;
    push(stretches, points.slice(at, begin), false);
    push(stretches, points.slice(begin, to), true);
    at = to;
  }
  push(stretches, points.slice(at), false);
  return stretches;
}

function clamp(place: number | undefined, end: number): number {
  return Number.isFinite(place) ? Math.min(Math.max(Math.trunc(place as number), 0), end) : 0;
}

function push(stretches: Stretch[], points: readonly string[], isHit: boolean): void {
  if (points.length > 0) stretches.push({ text: points.join(""), isHit });
}

const RULES = /(?:^…?|\|)(?:\s*:?-{3,}:?\s*(?:\||…?$))+/g;
const BARS = /\s*(?<!\\)\|(?:\s*\|)*\s*/g;
const ESCAPES = /\\([!-/:-@[-`{-~])/g;

/** A piece of an answer's text, which is Markdown: the cells of its tables with dots between. */
export function plainText(text: string): string {
  return text.replace(RULES, "|").replace(BARS, " · ").replace(ESCAPES, "$1");
}
