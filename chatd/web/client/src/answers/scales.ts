/** Where the values of a chart stand, and what is written along its axes. */

export interface Scale {
  /** Round values, ascending, of which the first and the last are the ends. */
  ticks: readonly number[];
  low: number;
  high: number;
}

/**
 * A scale from one round value to another, with about `wanted` steps of 1, 2 or 5 times a power of
 * ten. Bars begin at 0, so 0 is on it; for a line whose values are close together and far from 0,
 * it is not.
 */
export function scaleFor(values: readonly number[], wanted: number, withZero: boolean): Scale {
  let [low, high] = [Infinity, -Infinity];
  for (const value of values) {
    low = Math.min(low, value);
    high = Math.max(high, value);
  }
  if (low > high) [low, high] = [0, 1];
  const isFar = high - low < 0.25 * Math.max(Math.abs(low), Math.abs(high));
  if (withZero || !isFar) [low, high] = [Math.min(0, low), Math.max(0, high)];
  if (low === high) [low, high] = widened(low);
  const step = roundStep((high - low) / Math.max(1, wanted));
  const [first, last] = [Math.floor(low / step), Math.ceil(high / step)];
  const ticks: number[] = [];
  for (let at = first; at <= last && ticks.length < 50; at++) ticks.push(rounded(at * step, step));
  return { ticks, low: ticks[0] ?? low, high: ticks.at(-1) ?? high };
}

/** The place of a value between the ends, from 0 to 1. */
export function fraction(scale: Scale, value: number): number {
  const span = scale.high - scale.low;
  return span > 0 && Number.isFinite(span) ? (value - scale.low) / span : 0.5;
}

/**
 * The numbers at an axis, all in one form: short, as "1.5M", if the largest needs it, and with as
 * many digits as their step needs.
 */
export function tickTexts(ticks: readonly number[]): string[] {
  const step = stepOf(ticks);
  const sizes = ticks.filter((value) => value !== 0).map(Math.abs);
  const write = formFor(Math.min(...sizes), Math.max(...sizes), step);
  return ticks.map((value) => (value === 0 ? "0" : write(value)));
}

function formFor(least: number, most: number, step: number): (value: number) => string {
  if (most >= 1e15 || least < 1e-4) {
    return (value) => value.toExponential(2).replace(/\.?0+e/, "e");
  }
  if (most >= 10_000) {
    return (value) =>
      new Intl.NumberFormat(undefined, {
        notation: "compact",
        maximumSignificantDigits: significant(Math.abs(value), step),
      }).format(value);
  }
  const digits = Math.min(8, Math.max(0, -Math.floor(Math.log10(step) + 1e-9)));
  return (value) => value.toLocaleString(undefined, { maximumFractionDigits: digits });
}

/** From one tick to the next. */
function stepOf([first = 0, second = 1]: readonly number[]): number {
  return second - first || 1;
}

/** Which labels are written, so that none touches the next: every one, or each n-th. */
export function labelStep(widestPx: number, slotPx: number): number {
  return Math.max(1, Math.ceil((widestPx + 12) / Math.max(1, slotPx)));
}

/** Digits that tell two neighbouring ticks apart. */
function significant(size: number, step: number): number {
  return Math.min(8, Math.max(2, Math.floor(Math.log10(size)) - Math.floor(Math.log10(step)) + 1));
}

function roundStep(rough: number): number {
  if (!(rough > 0) || !Number.isFinite(rough)) return 1;
  const power = 10 ** Math.floor(Math.log10(rough));
  const times = rough / power;
  return (times <= 1 ? 1 : times <= 2 ? 2 : times <= 5 ? 5 : 10) * power;
}

/** Without the dust that sums of binary fractions leave: 0.30000000000000004 is 0.3. */
function rounded(value: number, step: number): number {
  const digits = Math.max(0, Math.min(100, 1 - Math.floor(Math.log10(step))));
  return Number.isFinite(value) && Math.abs(value) < 1e15 ? Number(value.toFixed(digits)) : value;
}

function widened(value: number): [number, number] {
  return value === 0 ? [0, 1] : value < 0 ? [value, 0] : [0, value];
}
