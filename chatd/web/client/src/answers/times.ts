/** Dates and times as databases write them: which instant they mean, and whether a text is one. */

/** An instant: milliseconds since 1970 and, where a fraction is finer, its further digits. */
export interface Instant {
  ms: number;
  finer: string;
}

const TIME =
  /^([+-]?\d{4,6})-(\d\d)(?:-(\d\d)(?:[T ](\d\d):(\d\d)(?::(\d\d)(?:[.,](\d{1,12}))?)?\s?(Z|[+-]\d\d(?::?\d\d)?(?::\d\d)?)?)?)?$/i;
const QUARTER = /^(\d{4})-?Q([1-4])$/i;
const WEEK = /^(\d{4})-W(\d\d)$/i;

/**
 * The instant that the text of a date or a time means: `2024-03`, `2024-03-01`, `2024-03-01
 * 12:30:00.123456+02`, `2024-Q1`, `2024-W09`. Without a zone it counts as UTC, so that a whole
 * column counts alike. Undefined if the text is not a date or time, as `2024-13-01`.
 */
export function instantOf(text: string): Instant | undefined {
  if (text.length > 48) return undefined;
  const match = TIME.exec(text);
  if (match !== null) return instantOfParts(match);
  const quarter = QUARTER.exec(text);
  if (quarter !== null) return whole(daysOf(Number(quarter[1]), 3 * Number(quarter[2]) - 2, 1));
  const week = WEEK.exec(text);
  if (week === null || Number(week[2]) < 1 || Number(week[2]) > 53) return undefined;
  // The week of January 4 is the first one (ISO 8601); 1970-01-01 was a Thursday.
  const fourth = daysOf(Number(week[1]), 1, 4);
  const monday = fourth - ((((fourth + 3) % 7) + 7) % 7);
  return whole(monday + 7 * (Number(week[2]) - 1));
}

/** Compare two instants, to the last digit of their fractions. */
export function compareInstants(a: Instant, b: Instant): number {
  if (a.ms !== b.ms) return a.ms < b.ms ? -1 : 1;
  const length = Math.max(a.finer.length, b.finer.length);
  const x = a.finer.padEnd(length, "0");
  const y = b.finer.padEnd(length, "0");
  return x < y ? -1 : x > y ? 1 : 0;
}

function instantOfParts(match: RegExpExecArray): Instant | undefined {
  const [year, month, day, hour, minute, second] = [1, 2, 3, 4, 5, 6].map((part) =>
    Number(match[part] ?? (part === 3 ? 1 : 0)),
  ) as [number, number, number, number, number, number];
  const fraction = match[7] ?? "";
  if (month < 1 || month > 12 || day < 1 || day > daysIn(year, month)) return undefined;
  if (hour > 24 || minute > 59 || second > 60) return undefined;
  const seconds = (hour * 60 + minute) * 60 + second - offsetSeconds(match[8]);
  return {
    ms: daysOf(year, month, day) * 86_400_000 + seconds * 1_000 + milliseconds(fraction),
    finer: fraction.slice(3),
  };
}

function whole(days: number): Instant {
  return { ms: days * 86_400_000, finer: "" };
}

function milliseconds(fraction: string): number {
  return Number(fraction.slice(0, 3).padEnd(3, "0"));
}

function offsetSeconds(zone: string | undefined): number {
  if (zone === undefined || zone.toUpperCase() === "Z") return 0;
  const digits = zone.slice(1).replaceAll(":", "");
  const seconds =
    Number(digits.slice(0, 2)) * 3_600 +
    Number(digits.slice(2, 4)) * 60 +
    Number(digits.slice(4, 6));
  return zone.startsWith("-") ? -seconds : seconds;
}

function daysIn(year: number, month: number): number {
  return daysOf(month === 12 ? year + 1 : year, (month % 12) + 1, 1) - daysOf(year, month, 1);
}

/** Days since 1970-01-01, for any year of the Gregorian calendar. */
function daysOf(year: number, month: number, day: number): number {
  const date = new Date(0);
  date.setUTCFullYear(year, month - 1, day);
  return Math.round(date.getTime() / 86_400_000);
}
