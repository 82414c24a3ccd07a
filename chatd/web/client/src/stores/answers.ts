/**
 * Answers under way, outside of React's state: a batch of rows renders its own card, once a frame,
 * and nothing else.
 */
import type { AnswerEnd, AnswerProgress, AnswerRows, AnswerStart } from "../websocket/wire.gen";
import type { AnswerColumn, AnswerPhase, Row } from "../websocket/types";

/** One answer under way. A new object for each frame in which something changed. */
export interface RunningAnswer {
  readonly answerId: string;
  readonly questionId: string;
  readonly connectionId: string;
  readonly askedBy?: string;
  readonly readOnly: boolean;
  readonly dryRun: boolean;
  readonly phase: AnswerPhase | "ended";
  /** On this browser's clock, as `performance.now()` counts. Unit: ms. */
  readonly startedAt: number;
  /** When it ends at the latest, on the same clock. */
  readonly deadline: number;
  readonly columns: readonly AnswerColumn[];
  /** Grows in place; `rowCount` tells how many count for this object. */
  readonly rows: readonly Row[];
  readonly rowCount: number;
  /** How it has ended, before the message that holds it has come. */
  readonly end?: AnswerEnd;
}

export interface Answers {
  get(answerId: string): RunningAnswer | undefined;
  byQuestion(questionId: string): RunningAnswer | undefined;
  /** Call `changed` at most once a frame while the answer changes; returns how to stop that. */
  subscribe(answerId: string, changed: () => void): () => void;
  started(event: AnswerStart, serverTime: number): void;
  progressed(event: AnswerProgress): void;
  rowsCame(event: AnswerRows): void;
  ended(event: AnswerEnd): void;
  forget(answerId: string): void;
  /** How many run in a room. */
  countIn(room: string): number;
}
