import { expect, test } from "vitest";
import { placeOf, searchOf } from "../../src/page/places";

test.each([
  ["", {}],
  ["?room=demo", { room: "demo" }],
  ["?room=a%20b%2Fc&at=12", { room: "a b/c", at: 12 }],
  ["?room=demo&at=12&thread=t", { room: "demo", at: 12, thread: "t" }],
  ["?room=demo&message=m", { room: "demo", message: "m" }],
] as const)("the address %s names its place, and the other way round", (search, place) => {
  expect(placeOf(search)).toEqual(place);
  expect(placeOf(searchOf(place))).toEqual(place);
});

test.each(["?at=", "?at=-1", "?at=1e9", "?at=x", "?room=&at=99999999999999999999"])(
  "what is no place is none: %s",
  (search) => expect(placeOf(search)).toEqual({}),
);
