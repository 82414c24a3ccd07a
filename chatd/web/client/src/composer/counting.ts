/** How long a text is, as the server counts: code points, without the white space around it. */

/** From this part of the limit on, the length is shown. */
const NEAR = 0.8;
/** Characters that show nothing: white space, marks without a letter, format characters. */
const UNSEEN = /^[\s\p{Cf}\p{Mn}\p{Me}\u115f\u1160\u2065\u2800\u3164\uffa0]*$/u;

export interface Length {
  /** Unit: code points. */
  count: number;
  isNear: boolean;
  /** How many are too many; 0 if none are. Unit: code points. */
  over: number;
}

/** @example codePoints("a😀") is 2 */
export function codePoints(text: string): number {
  let count = text.length;
  for (let at = 1; at < text.length; at++) {
    if (isLow(text.charCodeAt(at)) && isHigh(text.charCodeAt(at - 1))) {
      count--;
      at++;
    }
  }
  return count;
}

function isHigh(unit: number): boolean {
  return unit >= 0xd800 && unit <= 0xdbff;
}

function isLow(unit: number): boolean {
  return unit >= 0xdc00 && unit <= 0xdfff;
}

/** The length of a message, and the limit; no limit is known before there is a connection. */
export function lengthOf(text: string, max: number | undefined): Length {
  const count = codePoints(text.trim());
  if (max === undefined) return { count, isNear: false, over: 0 };
  return { count, isNear: count >= max * NEAR, over: Math.max(0, count - max) };
}

/** Whether a text shows nothing; the server takes no such message. */
export function isBlank(text: string): boolean {
  return UNSEEN.test(text);
}
