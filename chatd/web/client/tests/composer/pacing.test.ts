import { beforeEach, describe, expect, test, vi } from "vitest";
import { Typing } from "../../src/composer/pacing";

let told: [number, boolean][];
let starts: number[];

function typing(perMinute = 10): Typing {
  return new Typing({
    now: () => performance.now(),
    later(call, ms) {
      const timer = setTimeout(call, ms);
      return () => clearTimeout(timer);
    },
    tell: (isTyping) => told.push([performance.now(), isTyping]),
    perMinute: () => perMinute,
    starts,
  });
}

/** A key each 100 ms. */
function typeFor(one: Typing, ms: number): void {
  for (let at = 0; at < ms; at += 100) {
    one.typed();
    vi.advanceTimersByTime(100);
  }
}

describe("typing", () => {
  beforeEach(() => {
    vi.useFakeTimers({ now: 0, toFake: ["setTimeout", "clearTimeout", "performance"] });
    told = [];
    starts = [];
    return () => vi.useRealTimers();
  });

  test("begins 300 ms after the first key, and ends after 4 s of silence", () => {
    const one = typing();
    one.typed();
    vi.advanceTimersByTime(299);
    expect(told).toEqual([]);
    vi.advanceTimersByTime(60_000);
    expect(told).toEqual([
      [300, true],
      [4_000, false],
    ]);
  });

  test("is renewed each 8 s while keys come", () => {
    const one = typing();
    typeFor(one, 20_000);
    expect(told).toEqual([
      [300, true],
      [8_300, true],
      [16_300, true],
    ]);
  });

  test("that ends before it was told is never told", () => {
    const one = typing();
    one.typed();
    one.stop();
    vi.advanceTimersByTime(60_000);
    expect(told).toEqual([]);
  });

  test("stops at once where it is told to, and only once", () => {
    const one = typing();
    typeFor(one, 1_000);
    one.stop();
    one.stop();
    expect(told.map(([, isTyping]) => isTyping)).toEqual([true, false]);
  });

  test("never begins more often in a minute than the server allows, over all rooms", () => {
    const [one, other] = [typing(3), typing(3)];
    for (let at = 0; at < 20; at++) {
      const now = at % 2 === 0 ? one : other;
      typeFor(now, 500);
      now.stop();
    }
    expect(told.filter(([, isTyping]) => isTyping)).toHaveLength(3);
    vi.advanceTimersByTime(60_000);
    typeFor(one, 500);
    expect(told.filter(([, isTyping]) => isTyping)).toHaveLength(4);
    expect(starts).toHaveLength(1);
  });
});
