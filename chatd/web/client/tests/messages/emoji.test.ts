import { expect, test } from "vitest";
import { OFFERED, reactionOf } from "../../src/messages/emoji";

test.each([
  ["👍", "👍"],
  [" 🎉 ", "🎉"],
  ["👨‍👩‍👧‍👦", "👨‍👩‍👧‍👦"],
  ["+1", "+1"],
  ["", undefined],
  ["   ", undefined],
  ["a b", undefined],
  ["x".repeat(17), undefined],
])("%j is the reaction %j", (typed, reaction) => expect(reactionOf(typed)).toBe(reaction));

test("each one that is offered can be sent", () => {
  for (const [emoji] of OFFERED) expect(reactionOf(emoji)).toBe(emoji);
});
