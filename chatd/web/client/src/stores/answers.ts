/**
 * Answers under way, outside of React's state: a batch of rows renders its own card, once a frame,
 * and nothing else.
 */
import type { Clock } from "../websocket/clock";
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
  /** Grows in place; only the first `rowCount` belong to this object. */
  readonly rows: readonly Row[];
  readonly rowCount: number;
  /** How it has ended, while the message that holds it has not come yet. */
  readonly end?: AnswerEnd;
}

export interface Answers {
  get(answerId: string): RunningAnswer | undefined;
  byQuestion(questionId: string): RunningAnswer | undefined;
  /**
   * Call `changed` at most once a frame while the answer changes; returns a function that stops it.
   */
  subscribe(answerId: string, changed: () => void): () => void;
  started(event: AnswerStart, serverTime: number): void;
  progressed(event: AnswerProgress): void;
  rowsCame(event: AnswerRows): void;
  ended(event: AnswerEnd): void;
  forget(answerId: string): void;
  /** How many run in a room. */
  countIn(room: string): number;
}

/** After its deadline an answer has this long to end; then it counts as lost. Unit: ms. */
export const LOST_AFTER_MS = 10_000;
/** Between two looks for a lost answer. Unit: ms. */
const LOOK_AGAIN_MS = 15_000;
/** The most answers that are kept while they run, or until their message comes. */
const ANSWERS_MAX = 500;
const NO_END = "No end of this answer was heard; ask again.";
/** The deadline if the server names none. Unit: ms. */
const DEADLINE_MS = 60_000;

export interface AnswersParts {
  clock: Clock;
  /** Call something before the next frame is painted. */
  nextFrame(run: () => void): void;
  /** The end of an answer was not heard; the listener looks for the answer. */
  lost(answer: RunningAnswer): void;
  /** The number of answers that run in a room has changed. */
  counted(room: string): void;
}

/** What is kept of an answer beside what is shown. */
interface Held {
  shown: RunningAnswer;
  /** The number of the next event of rows: earlier ones have come already. */
  nextIndex: number;
  /** When to look for it, on the clock that never goes back. */
  lookAt: number;
}

export class RunningAnswers implements Answers {
  #held = new Map<string, Held>();
  #listeners = new Map<string, Set<() => void>>();
  #changed = new Set<string>();
  #isFrameDue = false;
  #stopTimer = () => {};

  constructor(private readonly parts: AnswersParts) {}

  get(answerId: string): RunningAnswer | undefined {
    return this.#held.get(answerId)?.shown;
  }

  byQuestion(questionId: string): RunningAnswer | undefined {
    for (const { shown } of this.#held.values()) if (shown.questionId === questionId) return shown;
    return undefined;
  }

  /** All of a room, the oldest first. */
  in(room: string): RunningAnswer[] {
    return [...this.#held.values()].flatMap(({ shown }) =>
      shown.connectionId === room ? [shown] : [],
    );
  }

  countIn(room: string): number {
    return this.in(room).filter((answer) => answer.phase !== "ended").length;
  }

  /** Whether the answer to a question is under way. */
  isRunning(questionId: string): boolean {
    const answer = this.byQuestion(questionId);
    return answer !== undefined && answer.phase !== "ended";
  }

  subscribe(answerId: string, changed: () => void): () => void {
    const listeners = this.#listeners.get(answerId) ?? new Set();
    this.#listeners.set(answerId, listeners.add(changed));
    return () => {
      listeners.delete(changed);
      if (listeners.size === 0 && this.#listeners.get(answerId) === listeners) {
        this.#listeners.delete(answerId);
      }
    };
  }

  started(event: AnswerStart, serverTime: number): void {
    const { messageId: answerId, replyTo: questionId, connectionId, readOnly, dryRun } = event;
    if (this.#held.has(answerId)) return; // announced again after a reconnect, with its rows
    const now = this.parts.clock.passed();
    const ago = clamped(serverTime - event.startedAt, DEADLINE_MS) ?? 0;
    const left = clamped(event.deadline - serverTime, 10 * DEADLINE_MS) ?? DEADLINE_MS;
    const shown: RunningAnswer = {
      answerId,
      questionId,
      connectionId,
      ...(event.askedBy === undefined ? {} : { askedBy: event.askedBy }),
      readOnly,
      dryRun,
      phase: "starting",
      startedAt: now - ago,
      deadline: now + left,
      columns: [],
      rows: [],
      rowCount: 0,
    };
    this.#makeRoom();
    this.#held.set(answerId, { shown, nextIndex: 0, lookAt: shown.deadline + LOST_AFTER_MS });
    this.#show(answerId);
    this.parts.counted(connectionId);
    this.#watch();
  }

  progressed(event: AnswerProgress): void {
    const { phase, elapsedMs } = event;
    this.#change(event.messageId, (held) => {
      if (held.shown.phase === "ended") return held;
      // An answer announced late says how long it had taken by then; the clock here may be further
      // already.
      const startedAt = Math.min(held.shown.startedAt, this.parts.clock.passed() - elapsedMs);
      return { ...held, shown: { ...held.shown, phase, startedAt } };
    });
  }

  rowsCame(event: AnswerRows): void {
    const { index, columns, rows } = event;
    this.#change(event.messageId, (held) => {
      if (held.shown.phase === "ended" || index < held.nextIndex) return held;
      const all = held.shown.rows as Row[];
      for (const row of rows) all.push(row as Row);
      const shown: RunningAnswer = {
        ...held.shown,
        phase: "fetching",
        columns: columns ?? held.shown.columns,
        rowCount: all.length,
      };
      return { ...held, shown, nextIndex: index + 1 };
    });
  }

  ended(event: AnswerEnd): void {
    const lookAt = this.parts.clock.passed() + LOST_AFTER_MS;
    this.#change(event.messageId, (held) => ({
      ...held,
      lookAt,
      shown: { ...held.shown, phase: "ended", end: event },
    }));
    this.parts.counted(event.connectionId);
    this.#watch();
  }

  /** The server knows of no end: the answer is over all the same, and is not looked for again. */
  gone(answerId: string): void {
    const shown = this.get(answerId);
    if (shown === undefined) return;
    const elapsedMs = Math.round(this.parts.clock.passed() - shown.startedAt);
    const end: AnswerEnd = shown.end ?? {
      messageId: answerId,
      replyTo: shown.questionId,
      connectionId: shown.connectionId,
      state: "interrupted",
      rowCount: shown.rowCount,
      truncated: true,
      elapsedMs,
      cached: false,
      error: { code: "db_interrupted", message: NO_END, retryable: true },
    };
    this.#change(answerId, (held) => ({
      ...held,
      lookAt: Infinity,
      shown: { ...held.shown, phase: "ended", end },
    }));
    this.parts.counted(shown.connectionId);
    this.#watch();
  }

  forget(answerId: string): void {
    const held = this.#held.get(answerId);
    if (held === undefined) return;
    this.#held.delete(answerId);
    this.#show(answerId);
    this.parts.counted(held.shown.connectionId);
    this.#watch();
  }

  /** Forget all of a room, or of all rooms. */
  clear(room?: string): void {
    for (const { shown } of this.#held.values()) {
      if (room === undefined || shown.connectionId === room) this.forget(shown.answerId);
    }
  }

  stop(): void {
    this.#stopTimer();
  }

  #change(answerId: string, change: (held: Held) => Held): void {
    const held = this.#held.get(answerId);
    if (held === undefined) return;
    const next = change(held);
    if (next === held) return;
    this.#held.set(answerId, next);
    this.#show(answerId);
  }

  /** Tell the components that show it, once before the next frame. */
  #show(answerId: string): void {
    this.#changed.add(answerId);
    if (this.#isFrameDue) return;
    this.#isFrameDue = true;
    this.parts.nextFrame(() => {
      this.#isFrameDue = false;
      const ids = [...this.#changed];
      this.#changed.clear();
      for (const id of ids) for (const changed of this.#listeners.get(id) ?? []) changed();
    });
  }

  /** One timer, for the answer that is to be looked for first. */
  #watch(): void {
    this.#stopTimer();
    let first = Infinity;
    for (const { lookAt } of this.#held.values()) first = Math.min(first, lookAt);
    if (first === Infinity) return;
    const ms = Math.max(0, first - this.parts.clock.passed());
    this.#stopTimer = this.parts.clock.after(ms, () => this.#lookForLost());
  }

  #lookForLost(): void {
    const now = this.parts.clock.passed();
    for (const [answerId, held] of this.#held) {
      if (held.lookAt > now) continue;
      this.#held.set(answerId, { ...held, lookAt: now + LOOK_AGAIN_MS });
      this.parts.lost(held.shown);
    }
    this.#watch();
  }

  #makeRoom(): void {
    if (this.#held.size < ANSWERS_MAX) return;
    const oldest = this.#held.keys().next().value;
    if (oldest !== undefined) this.forget(oldest);
  }
}

/** A duration that a server told, from 0 to a bound; undefined if it told none. */
function clamped(ms: number, most: number): number | undefined {
  return Number.isFinite(ms) ? Math.min(Math.max(ms, 0), most) : undefined;
}
