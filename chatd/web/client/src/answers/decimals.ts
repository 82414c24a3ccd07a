/**
 * Numbers that come as text, because they have more digits than a number of JavaScript: compared
 * digit by digit, and never rounded.
 */

/** A number by its digits: sign × 0.digits × 10^exponent; `digits` is "" for zero. */
interface Decimal {
  sign: -1 | 0 | 1;
  exponent: number;
  digits: string;
}

const DECIMAL = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d{1,9})?$/i;
const BEYOND: ReadonlyMap<string, number> = new Map([
  ["-infinity", -Infinity],
  ["-inf", -Infinity],
  ["infinity", Infinity],
  ["+infinity", Infinity],
  ["inf", Infinity],
  ["nan", NaN],
]);

/** Whether a text is a number in digits, with or without a fraction and an exponent. */
export function isDecimal(text: string): boolean {
  return text.length <= 10_000 && DECIMAL.test(text);
}

/** Whether a text is a number, or one of the words that databases use beside numbers. */
export function isNumeric(text: string): boolean {
  return isDecimal(text) || (text.length <= 9 && BEYOND.has(text.toLowerCase()));
}

/**
 * Compare two numbers, each as a number or as its text; exact for any count of digits. NaN is the
 * greatest, as in PostgreSQL.
 */
export function compareNumbers(a: number | string, b: number | string): number {
  const x = typeof a === "number" ? a : BEYOND.get(a.toLowerCase());
  const y = typeof b === "number" ? b : BEYOND.get(b.toLowerCase());
  if (x !== undefined && y !== undefined) return comparePlain(x, y);
  if (x !== undefined && !Number.isFinite(x)) return x < 0 ? -1 : 1;
  if (y !== undefined && !Number.isFinite(y)) return y < 0 ? 1 : -1;
  return compareDecimals(decimal(String(a)), decimal(String(b)));
}

function comparePlain(x: number, y: number): number {
  if (Number.isNaN(x) || Number.isNaN(y)) return Number(Number.isNaN(x)) - Number(Number.isNaN(y));
  return x < y ? -1 : x > y ? 1 : 0;
}

function decimal(text: string): Decimal {
  const [, sign, whole = "", fraction = "", power = "0"] =
    /^([+-]?)(\d*)\.?(\d*)(?:e([+-]?\d+))?$/i.exec(text) ?? [];
  const all = whole + fraction;
  const digits = all.replace(/^0+/, "");
  const leading = all.length - digits.length;
  if (digits === "") return { sign: 0, exponent: 0, digits: "" };
  return {
    sign: sign === "-" ? -1 : 1,
    exponent: whole.length - leading + Number(power),
    digits: digits.replace(/0+$/, ""),
  };
}

function compareDecimals(a: Decimal, b: Decimal): number {
  if (a.sign !== b.sign) return Math.sign(a.sign - b.sign);
  const size = a.exponent - b.exponent || (a.digits < b.digits ? -1 : a.digits > b.digits ? 1 : 0);
  return Math.sign(size) * a.sign;
}
