/** What a reaction can be. */

/** The emoji that are offered, with the words that screen readers say. */
export const OFFERED: readonly (readonly [emoji: string, words: string])[] = [
  ["👍", "Thumbs up"],
  ["❤️", "Heart"],
  ["😂", "Laughing"],
  ["🎉", "Party"],
  ["👀", "Looking"],
  ["✅", "Done"],
  ["❌", "No"],
  ["🙏", "Thanks"],
  ["🤔", "Thinking"],
  ["🚀", "Rocket"],
  ["💡", "Idea"],
  ["😕", "Confused"],
];

/** The longest reaction. Unit: code points. */
const POINTS_MAX = 16;

/** What was typed, as a reaction: without space around it; undefined if it is not a reaction. */
export function reactionOf(typed: string): string | undefined {
  const text = typed.trim();
  const isOne = text !== "" && !/\s/.test(text) && Array.from(text).length <= POINTS_MAX;
  return isOne ? text : undefined;
}
