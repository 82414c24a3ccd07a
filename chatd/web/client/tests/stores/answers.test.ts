import { beforeEach, describe, expect, test, vi } from "vitest";
import { LOST_AFTER_MS, RunningAnswers, type RunningAnswer } from "../../src/stores/answers";
import { FakeClock } from "../clock";

let clock: FakeClock;
let answers: RunningAnswers;
let lost: string[];
let frames: (() => void)[];

beforeEach(() => {
  clock = new FakeClock();
  lost = [];
  frames = [];
  answers = new RunningAnswers({
    clock,
    nextFrame: (run) => frames.push(run),
    lost: (answer: RunningAnswer) => lost.push(answer.answerId),
    counted() {},
  });
});

const ids = { messageId: "a", replyTo: "q", connectionId: "demo" };
const SERVER = 5_000_000;

function start(over: object = {}): void {
  const times = { startedAt: SERVER - 400, deadline: SERVER + 30_000, askedBy: "ada" };
  answers.started({ ...ids, readOnly: true, dryRun: false, ...times, ...over }, SERVER);
}
const rows = (index: number, count: number) => {
  const columns = index === 0 ? { columns: [{ name: "n", type: "INTEGER" }] } : {};
  answers.rowsCame({
    ...ids,
    index,
    ...columns,
    rows: Array.from({ length: count }, () => [index]),
  });
};
const end = () =>
  answers.ended({
    ...ids,
    state: "done",
    rowCount: 0,
    truncated: false,
    elapsedMs: 9,
    cached: false,
  });
const frame = () => frames.splice(0).forEach((run) => run());

describe("an answer under way", () => {
  test("has begun when the server says so, on a clock that is not the server's", () => {
    start();
    expect(answers.byQuestion("q")).toMatchObject({
      phase: "starting",
      startedAt: clock.passed() - 400,
      deadline: clock.passed() + 30_000,
      askedBy: "ada",
    });
  });

  test("of an older server begins when it is heard", () => {
    start({ startedAt: undefined, askedBy: undefined });
    expect(answers.get("a")).toMatchObject({ startedAt: clock.passed() });
    expect(answers.get("a")).not.toHaveProperty("askedBy");
  });

  test("of a server whose clock is years away neither has ended nor lasts for ever", () => {
    start({ startedAt: 0, deadline: 0 });
    expect(answers.get("a")).toMatchObject({ deadline: clock.passed() });
    answers.clear();
    start({ deadline: Number.MAX_SAFE_INTEGER });
    expect(answers.get("a")?.deadline).toBeLessThan(clock.passed() + 3_600_000);
  });

  test("tells who shows it once a frame, with all that came in it", () => {
    const changed = vi.fn();
    const stop = answers.subscribe("a", changed);
    start();
    frame();
    for (let n = 0; n < 10; n += 1) rows(n, 5);
    expect(changed).toHaveBeenCalledTimes(1);
    frame();
    expect(changed).toHaveBeenCalledTimes(2);
    expect(answers.get("a")).toMatchObject({ phase: "fetching", rowCount: 50 });
    stop();
    rows(10, 1);
    frame();
    expect(changed).toHaveBeenCalledTimes(2);
  });

  test("is a new object for each change, and the one before stays as it was", () => {
    start();
    rows(0, 2);
    const before = answers.get("a");
    rows(1, 2);
    expect(answers.get("a")).not.toBe(before);
    expect(before?.rowCount).toBe(2);
    expect(answers.get("a")?.columns).toEqual([{ name: "n", type: "INTEGER" }]);
  });

  test("that is told again after a reconnect holds each row once", () => {
    start();
    rows(0, 3);
    rows(1, 3);
    start();
    rows(0, 3);
    rows(1, 3);
    rows(2, 3);
    expect(answers.get("a")?.rowCount).toBe(9);
  });

  test("counts in its room until it ends, and is held until its message is there", () => {
    start();
    expect(answers.countIn("demo")).toBe(1);
    end();
    expect(answers.countIn("demo")).toBe(0);
    expect(answers.get("a")).toMatchObject({ phase: "ended", end: { state: "done" } });
    answers.progressed({ ...ids, phase: "running", elapsedMs: 5 });
    rows(0, 4);
    expect(answers.get("a")).toMatchObject({ phase: "ended", rowCount: 0 });
    answers.forget("a");
    expect(answers.get("a")).toBeUndefined();
  });

  test("whose start was not heard is not made up", () => {
    rows(0, 3);
    end();
    expect(answers.get("a")).toBeUndefined();
  });
});

describe("an answer of which no end is heard", () => {
  test("is looked for ten seconds after its deadline, and again until it is found", async () => {
    start();
    await clock.pass(30_000 + LOST_AFTER_MS - 1);
    expect(lost).toEqual([]);
    await clock.pass(1);
    expect(lost).toEqual(["a"]);
    await clock.pass(15_000);
    expect(lost).toEqual(["a", "a"]);
    answers.forget("a");
    await clock.pass(600_000);
    expect(lost).toHaveLength(2);
    expect(clock.waiting).toBe(0);
  });

  test("is looked for too, where it has ended and its message does not come", async () => {
    start();
    end();
    await clock.pass(LOST_AFTER_MS);
    expect(lost).toEqual(["a"]);
  });

  test("and of which the server knows nothing is over: no card waits for ever", async () => {
    start();
    rows(0, 3);
    answers.gone("a");
    expect(answers.get("a")).toMatchObject({
      phase: "ended",
      rowCount: 3,
      end: { state: "interrupted", error: { retryable: true } },
    });
    await clock.pass(600_000);
    expect(lost).toEqual([]);
  });
});

test("a server that begins answers without end does not fill the page", () => {
  for (let n = 0; n < 2_000; n += 1) start({ messageId: `a${n}`, replyTo: `q${n}` });
  expect(answers.in("demo")).toHaveLength(500);
  expect(answers.get("a1999")).toBeDefined();
});
