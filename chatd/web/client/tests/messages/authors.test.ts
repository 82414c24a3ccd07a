import { expect, test } from "vitest";
import {
  beginsDay,
  goesOn,
  initialsOf,
  isErased,
  isSystem,
  lookOf,
} from "../../src/messages/authors";
import { fakeMessage } from "../fakes";

const noon = new Date(2026, 10, 20, 12).getTime();
const before = fakeMessage(1, { timestamp: noon });

test.each([
  ["the same author soon after", { timestamp: noon + 60_000 }, true],
  ["the same author long after", { timestamp: noon + 6 * 60_000 }, false],
  ["another author", { timestamp: noon + 1_000, userId: "eve" }, false],
  ["a reply in a thread", { timestamp: noon + 1_000, threadId: "t" }, false],
  ["a clock that was set back", { timestamp: noon - 6 * 60_000 }, false],
])("%s stands below the same name: %s", (_, over, expected) => {
  expect(goesOn(fakeMessage(2, over), before)).toBe(expected);
});

test("answers of databases never stand below one name", () => {
  const answer = { userId: "db:demo", timestamp: noon };
  expect(goesOn(fakeMessage(2, answer), fakeMessage(1, answer))).toBe(false);
});

test("nothing stands below the name of a message that was deleted", () => {
  expect(goesOn(fakeMessage(2, { timestamp: noon }), { ...before, deletedAt: noon })).toBe(false);
});

test("the server itself and those who were erased are told from users", () => {
  expect(["chatd:system", "chatd:erased:1", "ada", "system"].map(isSystem)).toEqual([
    true,
    false,
    false,
    false,
  ]);
  expect(["chatd:system", "chatd:erased:1", "erased"].map(isErased)).toEqual([false, true, false]);
});

test("a day begins with its first message", () => {
  expect(beginsDay(before, undefined)).toBe(true);
  expect(beginsDay(fakeMessage(2, { timestamp: noon + 1_000 }), before)).toBe(false);
  expect(beginsDay(fakeMessage(2, { timestamp: noon + 86_400_000 }), before)).toBe(true);
});

test.each([
  ["Ada Lovelace", "AL"],
  ["bob", "B"],
  ["Ada King Lovelace", "AL"],
  ["  ", "?"],
  ["🙂", "?"],
  ["上海", "上"],
  ["-x-", "X"],
])("%j has the initials %j", (name, initials) => expect(initialsOf(name)).toBe(initials));

test("a user always looks the same", () => {
  expect(lookOf("ada")).toBe(lookOf("ada"));
  const looks = new Set(Array.from({ length: 60 }, (_, at) => lookOf(`user${at}`)));
  expect(looks.size).toBe(6);
});
