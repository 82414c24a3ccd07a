/** Answers for tests: what a test does not say is the plainest. */
import type { RunningAnswer } from "../src/stores/answers";
import type { Answer } from "../src/websocket/types";

export function doneAnswer(over: Partial<Answer> = {}): Answer {
  const rows = over.rows ?? [];
  return {
    state: "done",
    rowCount: rows.length,
    truncated: false,
    elapsedMs: 145,
    cached: false,
    columns: [],
    rows,
    ...over,
  };
}

export function runningAnswer(over: Partial<RunningAnswer> = {}): RunningAnswer {
  const startedAt = performance.now();
  return {
    answerId: "00000000-0000-4000-8000-000000000002",
    questionId: "00000000-0000-4000-8000-000000000001",
    connectionId: "demo",
    askedBy: "bob",
    readOnly: true,
    dryRun: false,
    phase: "running",
    startedAt,
    deadline: startedAt + 30_000,
    columns: [],
    rows: [],
    rowCount: 0,
    ...over,
  };
}
