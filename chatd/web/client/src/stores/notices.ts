/**
 * Sentences above the composer: which of them stand, and what takes them away.
 *
 * | a notice | where it stands | how it goes |
 * |---|---|---|
 * | of a room | there alone | the room is left, or its time is over |
 * | of an answer under way | in its room | as above, or the answer has ended |
 * | of a message that waits | everywhere | the message is not in the outbox any more, or by hand |
 * | that stays, or keeps a text | everywhere | by hand |
 *
 * The component that draws a notice counts its time: a pointer or the focus on it holds it.
 */
import type { Notice } from "./state";

/** The most that stand, beside those that stay until somebody closes them. */
const NOTICES_MAX = 5;

/** Whether it stands until somebody closes it. */
export function isLasting({ stays, kept }: Pick<Notice, "stays" | "kept">): boolean {
  return stays === true || kept !== undefined;
}

/**
 * Notices with one more, which stands only once. A notice of a room that was left meanwhile is
 * dropped.
 *
 * @param room the open room, to which it belongs if it names none
 */
export function withNotice(
  notices: readonly Notice[],
  notice: Notice,
  room: string,
): readonly Notice[] {
  const { room: of = room, ...said } = notice;
  if (!isLasting(notice) && of !== room) return notices;
  const others = notices.filter(({ text, kept }) => text !== said.text || kept !== said.kept);
  const all = [...others, isLasting(notice) ? said : { ...said, room: of }];
  return all.filter((one, at) => isLasting(one) || at >= all.length - NOTICES_MAX);
}

/** The notices that stand once a room is open. */
export function noticesIn(notices: readonly Notice[], room: string): readonly Notice[] {
  return remaining(notices, (notice) => notice.room === undefined || notice.room === room);
}

/** The notices without those whose answer is no longer under way. */
export function noticesWhile(
  notices: readonly Notice[],
  isRunning: (questionId: string) => boolean,
): readonly Notice[] {
  return remaining(notices, ({ questionId }) => questionId === undefined || isRunning(questionId));
}

/** The notices without those whose message no longer waits. */
export function noticesOfWaiting(
  notices: readonly Notice[],
  isWaiting: (messageId: string) => boolean,
): readonly Notice[] {
  return remaining(notices, ({ messageId }) => messageId === undefined || isWaiting(messageId));
}

/** The same list if nothing goes, so that nothing is drawn again. */
function remaining(
  notices: readonly Notice[],
  stands: (notice: Notice) => boolean,
): readonly Notice[] {
  return notices.every(stands) ? notices : notices.filter(stands);
}
