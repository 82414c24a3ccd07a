const ENDS_NAME = /[\p{L}\p{N}_$"`\])]$/u;
const BEGINS_NAME = /^[\p{L}\p{N}_$"`[]/u;

/** What to insert for a text, so that it does not run into the name before the cursor. */
export function inserted(text: string, cursor: number, insert: string): string {
  const isApart = !ENDS_NAME.test(text.slice(0, cursor)) || !BEGINS_NAME.test(insert);
  return isApart ? insert : ` ${insert}`;
}
