import { IDBFactory } from "fake-indexeddb";
import { beforeEach, describe, expect, test, vi } from "vitest";
import { Database } from "../../src/websocket/database";
import { createTurns, LEASE_MS, type Turns } from "../../src/websocket/lease";
import { FakeClock, settled } from "../clock";

let clock: FakeClock;
let seed: number;

beforeEach(() => {
  vi.stubGlobal("indexedDB", new IDBFactory());
  clock = new FakeClock();
  seed = 0;
});

function random(): number {
  seed = (seed + 0.618) % 1;
  return seed;
}

/** A browser's locks that do as this says. */
function locksOf(request: (name: string, run: () => Promise<unknown>) => unknown): LockManager {
  return { request } as unknown as LockManager;
}

/** A tab. */
function tab(locks?: LockManager): Turns {
  return createTurns({ clock, random, database: new Database(clock), locks });
}

/** Work that ends when the test says so. */
function work(name: string, log: string[]) {
  let end: (() => void) | undefined;
  const ended = new Promise<void>((done) => {
    end = done;
  });
  return {
    end: () => end?.(),
    run: async () => {
      log.push(`${name} begins`);
      await ended;
      log.push(`${name} ends`);
    },
  };
}

describe("without locks, on plain http", () => {
  test("two tabs work one after the other", async () => {
    const log: string[] = [];
    const [one, other] = [tab(), tab()];
    const [a, b] = [work("a", log), work("b", log)];
    const first = one.exclusively("x", a.run);
    await settled();
    const second = other.exclusively("x", b.run);
    await clock.pass(1_000);
    expect(log).toEqual(["a begins"]);
    a.end();
    await first;
    await clock.pass(100);
    expect(log).toEqual(["a begins", "a ends", "b begins"]);
    b.end();
    await second;
  });

  test("one tab works in the order of asking", async () => {
    const turns = tab();
    const log: number[] = [];
    const all = [1, 2, 3].map((n) => turns.exclusively("x", async () => void log.push(n)));
    await Promise.all(all);
    expect(log).toEqual([1, 2, 3]);
  });

  test("work of another name waits for nobody", async () => {
    const log: string[] = [];
    const [one, other] = [tab(), tab()];
    const a = work("a", log);
    const first = one.exclusively("x", a.run);
    await settled();
    await other.exclusively("y", async () => void log.push("y"));
    expect(log).toEqual(["a begins", "y"]);
    a.end();
    await first;
  });

  test("a tab that has crashed is waited for until its lease is over", async () => {
    const log: string[] = [];
    void tab().exclusively("x", work("crashed", log).run);
    await settled();
    const next = tab().exclusively("x", async () => void log.push("next"));
    await clock.pass(LEASE_MS - 1_000);
    expect(log).toEqual(["crashed begins"]);
    await clock.pass(1_100);
    await next;
    expect(log).toEqual(["crashed begins", "next"]);
  });

  test("a clock that is set back gives nobody a lease for an hour", async () => {
    const log: string[] = [];
    void tab().exclusively("x", work("crashed", log).run);
    await settled();
    clock.set(-3_600_000);
    const next = tab().exclusively("x", async () => void log.push("next"));
    await clock.pass(200);
    await next;
    expect(log.at(-1)).toBe("next");
  });

  test("work that fails gives its turn back, and its error to who asked", async () => {
    const turns = tab();
    await expect(turns.exclusively("x", () => Promise.reject(new RangeError()))).rejects.toThrow(
      RangeError,
    );
    expect(await tab().exclusively("x", async () => "free")).toBe("free");
  });

  test("without a database the tab works for itself", async () => {
    vi.stubGlobal("indexedDB", undefined);
    expect(await tab().exclusively("x", async () => "done")).toBe("done");
  });
});

describe("with locks", () => {
  test("the browser's locks decide", async () => {
    const request = vi.fn((_name: string, run: () => Promise<unknown>) => run());
    const turns = tab(locksOf(request));
    expect(await turns.exclusively("x", async () => "done")).toBe("done");
    expect(request).toHaveBeenCalledWith("x", expect.any(Function));
  });

  test("locks that may not be used here are done without", async () => {
    const noOrigin = new DOMException("No origin.", "SecurityError");
    const turns = tab(locksOf(() => Promise.reject(noOrigin)));
    expect(await turns.exclusively("x", async () => "done")).toBe("done");
  });

  test("work that fails is not done twice", async () => {
    const turns = tab(locksOf((_name, run) => run()));
    const fails = vi.fn(() => Promise.reject(new RangeError()));
    await expect(turns.exclusively("x", fails)).rejects.toThrow(RangeError);
    expect(fails).toHaveBeenCalledTimes(1);
  });
});
