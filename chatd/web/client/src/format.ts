/** Times, durations and counts as a reader sees them, in the reader's own language. */

/**
 * A duration.
 *
 * @example duration(145) is "145 ms", duration(3_640) is "3.6 s", duration(75_000) is "1 min 15 s"
 */
export function duration(ms: number): string {
  if (ms < 1_000) return `${Math.max(0, Math.round(ms))} ms`;
  if (ms < 59_950) return `${(ms / 1_000).toFixed(1)} s`;
  const seconds = Math.round(ms / 1_000);
  const rest = seconds % 60;
  return rest === 0
    ? `${Math.floor(seconds / 60)} min`
    : `${Math.floor(seconds / 60)} min ${rest} s`;
}

/** A whole number, with its thousands set apart. */
export function count(n: number): string {
  return n.toLocaleString();
}

/** A number of things. @example counted(1, "row") is "1 row", counted(0, "row") is "0 rows" */
export function counted(n: number, one: string, many = `${one}s`): string {
  return `${count(n)} ${n === 1 ? one : many}`;
}

/** The time of day. */
export function timeOfDay(at: number): string {
  return formatted("time", at, { hour: "2-digit", minute: "2-digit" });
}

/** Date and time, whole. */
export function moment(at: number): string {
  return formatted("moment", at, { dateStyle: "full", timeStyle: "medium" });
}

/** Date and time, in a few characters. */
export function shortMoment(at: number): string {
  return formatted("short", at, { dateStyle: "medium", timeStyle: "short" });
}

/**
 * Making a format takes fifty times as long as using it, and a list of messages uses three for each
 * row: so they are kept, as long as the reader stays in one time zone.
 */
const FORMATS = new Map<string, Intl.DateTimeFormat>();

function formatted(name: string, at: number, options: Intl.DateTimeFormatOptions): string {
  const date = new Date(at);
  if (Number.isNaN(date.getTime())) return "";
  const zone = date.getTimezoneOffset();
  const known = FORMATS.get(`${name} ${zone}`) ?? new Intl.DateTimeFormat(undefined, options);
  FORMATS.set(`${name} ${zone}`, known);
  return known.format(date);
}

/** The day, as a line between messages names it: "Today", "Yesterday", or its name and date. */
export function day(at: number, now: number): string {
  const days = dayNumber(now) - dayNumber(at);
  if (days === 0) return "Today";
  if (days === 1) return "Yesterday";
  return new Date(at).toLocaleDateString(undefined, {
    weekday: "long",
    day: "numeric",
    month: "long",
    ...(new Date(at).getFullYear() === new Date(now).getFullYear() ? {} : { year: "numeric" }),
  });
}

/** Days since 1970 on this browser's calendar: equal for two times of one day. */
export function dayNumber(at: number): number {
  const date = new Date(at);
  return Math.floor(Date.UTC(date.getFullYear(), date.getMonth(), date.getDate()) / 86_400_000);
}
