import { expect, test } from "vitest";
import { neighbour } from "../../src/hooks/useKeys";
import { fakeRoom, fakeState } from "../fakes";

const rooms = [
  fakeRoom("a"),
  fakeRoom("b", { unread: 2 }),
  fakeRoom("c"),
  fakeRoom("d", { unread: 1 }),
];

test.each([
  ["a", 1, false, "b"],
  ["a", -1, false, "d"],
  ["d", 1, false, "a"],
  ["a", 1, true, "b"],
  ["b", 1, true, "d"],
  ["d", -1, true, "b"],
] as const)("from %s by %i, unread ones alone: %s", (room, step, isUnread, expected) => {
  expect(neighbour(fakeState({ rooms, room }), step, isUnread)).toBe(expected);
});

test("there is no neighbour where there is no room", () => {
  expect(neighbour(fakeState({ rooms: [], room: "" }), 1, false)).toBeUndefined();
});
