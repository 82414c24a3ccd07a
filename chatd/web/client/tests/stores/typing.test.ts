import { beforeEach, expect, test } from "vitest";
import { Typing, TYPING_MS } from "../../src/stores/typing";
import type { TypingUser } from "../../src/websocket/types";
import { FakeClock } from "../clock";

let clock: FakeClock;
let now: ReadonlyMap<string, TypingUser>;
let typing: Typing;

beforeEach(() => {
  clock = new FakeClock();
  now = new Map();
  typing = new Typing(clock, (users) => (now = users));
});

const heard = (userId: string, isTyping = true, connectionId = "demo") =>
  typing.heard({ userId, connectionId, isTyping, timestamp: 0, name: userId.toUpperCase() });
const who = () => [...now.values()].map((user) => user.userId);

test("who types is shown until told otherwise", () => {
  heard("ada");
  heard("bob");
  expect(now.get("demo\nada")).toMatchObject({ name: "ADA", connectionId: "demo" });
  heard("ada", false);
  expect(who()).toEqual(["bob"]);
  typing.stopped("demo", "bob");
  expect(who()).toEqual([]);
});

test("typing ends without another sign, each user's by itself, with one timer", async () => {
  heard("ada");
  await clock.pass(5_000);
  heard("bob");
  heard("ada", true, "sales");
  expect(clock.waiting).toBe(1);
  await clock.pass(TYPING_MS - 5_000);
  expect(who()).toEqual(["bob", "ada"]);
  await clock.pass(5_000);
  expect(who()).toEqual([]);
  expect(clock.waiting).toBe(0);
});

test("a new sign keeps it going, and a clock that is set back does not", async () => {
  heard("ada");
  await clock.pass(8_000);
  heard("ada");
  clock.set(-3_600_000);
  await clock.pass(8_000);
  expect(who()).toEqual(["ada"]);
  await clock.pass(3_000);
  expect(who()).toEqual([]);
});

test("a crowd does not fill the page", () => {
  for (let n = 0; n < 1_000; n += 1) heard(`user ${n}`);
  expect(now.size).toBe(200);
  typing.clear();
  expect(now.size).toBe(0);
  expect(clock.waiting).toBe(0);
});
