/**
 * What is written along an axis of time: round moments at even distances if the points stand at
 * uneven ones; else the times of the points, without the parts that say nothing.
 */
import { instantOf } from "./times";

export interface Tick {
  /** Unit: ms since 1970. */
  at: number;
  text: string;
}

/** A step from one tick to the next, and how much of a time is written at it. */
interface Step {
  ms: number;
  /** Set if it counts months, which differ in length. */
  months?: number;
  /** Characters of an ISO time. */
  chars: number;
}

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const YEAR_CHARS = 4;
const MONTH_CHARS = 7;
const DAY_CHARS = 10;
const MINUTE_CHARS = 16;
const SECOND_CHARS = 19;
/** 1970-01-01 was a Thursday; weeks begin on Monday. */
const MONDAY = 4 * DAY;

const STEPS: readonly Step[] = [
  ...[1, 2, 5, 10, 15, 30].map((n) => ({ ms: n * SECOND, chars: SECOND_CHARS })),
  ...[1, 2, 5, 10, 15, 30].map((n) => ({ ms: n * MINUTE, chars: MINUTE_CHARS })),
  ...[1, 2, 3, 6, 12].map((n) => ({ ms: n * HOUR, chars: MINUTE_CHARS })),
  ...[1, 2, 7, 14].map((n) => ({ ms: n * DAY, chars: DAY_CHARS })),
  ...[1, 2, 3, 6].map((n) => ({ ms: n * 28 * DAY, months: n, chars: MONTH_CHARS })),
  ...[1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000].map((n) => ({
    ms: n * 365 * DAY,
    months: 12 * n,
    chars: YEAR_CHARS,
  })),
];

/**
 * The finest round moments between two times that have room, as `fits` says; none if not even two
 * of them have. Within one day only the time of day is written.
 *
 * @param fits whether texts like this one have room, so many ms apart
 * @example from one January to the next, with room for five: 2024-01, 2024-04, 2024-07, ...
 */
export function roundTicks(
  from: number,
  to: number,
  fits: (text: string, ms: number) => boolean,
): readonly Tick[] {
  if (!isCommon(from) || !isCommon(to)) return [];
  const isOneDay = Math.floor(from / DAY) === Math.floor(to / DAY);
  const write = (at: number, { chars }: Step) => {
    const text = isoOf(at);
    return isOneDay && chars > DAY_CHARS ? text.slice(11, chars) : text.slice(0, chars);
  };
  for (const step of STEPS) {
    if (!fits(write(from, step), step.ms)) continue;
    const ticks = momentsOf(step, from, to).map((at) => ({ at, text: write(at, step) }));
    return ticks.length < 2 ? [] : ticks;
  }
  return [];
}

function momentsOf({ ms, months }: Step, from: number, to: number): number[] {
  const moments: number[] = [];
  if (months === undefined) {
    const begin = ms % (7 * DAY) === 0 ? MONDAY : 0;
    for (let at = Math.ceil((from - begin) / ms) * ms + begin; at <= to; at += ms) moments.push(at);
    return moments;
  }
  const first = new Date(from);
  const month = first.getUTCFullYear() * 12 + first.getUTCMonth();
  for (let next = Math.floor(month / months) * months; ; next += months) {
    const at = monthAt(next);
    if (at > to || Number.isNaN(at)) return moments;
    if (at >= from) moments.push(at);
  }
}

/** When a month begins, counted from the year 0. */
function monthAt(month: number): number {
  const date = new Date(0);
  return date.setUTCFullYear(Math.floor(month / 12), ((month % 12) + 12) % 12, 1);
}

/** A time as databases write it. */
function isoOf(at: number): string {
  return new Date(at).toISOString().replace("T", " ");
}

/** Whether four digits write its year. */
function isCommon(at: number): boolean {
  const year = new Date(at).getUTCFullYear();
  return year >= 0 && year <= 9_999;
}

/**
 * How far the clock of a label's zone is ahead: the axis shows times in the same zone as the
 * labels.
 */
export function zoneAhead(label: string, at: number): number {
  return (instantOf(zoneless(label))?.ms ?? at) - at;
}

/** The part of a time that says nothing if all times have it: the first of a year, midnight. */
const NOTHING: readonly [chars: number, rest: RegExp][] = [
  [YEAR_CHARS, /^-01-01(?:[T ]00:00(?::00(?:\.0+)?)?)?$/],
  [MONTH_CHARS, /^-01(?:[T ]00:00(?::00(?:\.0+)?)?)?$/],
  [DAY_CHARS, /^[T ]00:00(?::00(?:\.0+)?)?$/],
  [MINUTE_CHARS, /^(?::00(?:\.0+)?)?$/],
];
const TIME = /^\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d.*)?$/;

/**
 * Labels of times without the parts that say nothing; those that `shown` names are written down to
 * their day, or their minute, if that tells them apart.
 */
export function shortTimes(
  labels: readonly string[],
  shown: (texts: readonly string[]) => readonly string[],
): readonly string[] {
  if (!labels.every((label) => TIME.test(label))) return labels;
  const plain = labels.map(zoneless);
  for (const [chars, nothing] of NOTHING) {
    const texts = plain.map((label) => label.slice(0, chars).replace("T", " "));
    if (plain.every((label) => nothing.test(label.slice(chars)))) return texts;
    if (chars < DAY_CHARS) continue;
    const told = shown(texts);
    if (new Set(told).size === told.length) return texts;
  }
  return labels;
}

function zoneless(label: string): string {
  return label.replace(ZONE, "$1");
}

const ZONE = /(:\d\d(?:[.,]\d+)?)\s?(?:Z|[+-]\d\d(?::?\d\d)?(?::\d\d)?)$/i;
