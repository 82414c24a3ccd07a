/**
 * What a card shows: an answer that is under way and one that has ended, seen as one thing, so that
 * a card goes from the one to the other in its place.
 */
import type { RunningAnswer } from "../stores/answers";
import type { Answer, AnswerColumn, AnswerPhase, ChatMessage, Row } from "../websocket/types";

/**
 * `text`: a message of a database that is not an answer; `gone`: it should be under way, but
 * nothing is known of it.
 */
export type AnswerView =
  | { kind: "running"; live: RunningAnswer; phase: AnswerPhase }
  | { kind: "ended"; answer: Answer }
  | { kind: "text"; text: string }
  | { kind: "gone" };

/** What there is of an answer. */
export function viewOf(message: ChatMessage, live: RunningAnswer | undefined): AnswerView {
  if (message.answer !== undefined) return { kind: "ended", answer: message.answer };
  if (live?.end !== undefined) return { kind: "ended", answer: answerOf(live, live.end) };
  if (live !== undefined && live.phase !== "ended") {
    return { kind: "running", live, phase: live.phase };
  }
  if (message.seq !== undefined || message.content !== "" || message.error) {
    return { kind: "text", text: message.error ?? message.content };
  }
  return { kind: "gone" };
}

/** The columns and rows that there are. `rows` may hold more than `rowCount`; those do not count. */
export interface Held {
  columns: readonly AnswerColumn[];
  rows: readonly Row[];
  rowCount: number;
}

const NOTHING: Held = { columns: [], rows: [], rowCount: 0 };

export function heldOf(view: AnswerView): Held {
  switch (view.kind) {
    case "running":
      return view.live;
    case "ended": {
      const { columns, rows } = view.answer;
      return { columns, rows, rowCount: rows.length };
    }
    default:
      return NOTHING;
  }
}

/**
 * Whether a question asked for a plan alone, and whether it was allowed to write; nothing is in a
 * room whose database can only be read.
 */
export function modesOf(
  question: ChatMessage | undefined,
  live: RunningAnswer | undefined,
  isReadOnly = false,
): { isPlan: boolean; mayWrite: boolean } {
  const config = question?.context?.config;
  const text = question === undefined ? "" : written(question);
  return {
    isPlan: live?.dryRun === true || config?.dryRun === true || EXPLAIN.test(text),
    mayWrite: live === undefined ? config?.readOnly === false && !isReadOnly : !live.readOnly,
  };
}

const EXPLAIN = /^\s*\/?explain\b/i;

/** The question as it was written, markup and all. */
export function written(question: ChatMessage): string {
  return question.raw ?? question.content;
}

/**
 * What to ask again, and to edit: the statement alone if one was run, and commands as they were
 * written. A question that was edited since is not what was answered; the statement is.
 */
export function askedText(
  answer: Answer | undefined,
  question: ChatMessage | undefined,
): string | undefined {
  const text = question === undefined || question.deletedAt ? undefined : written(question);
  const isAsWritten = question?.editedAt === undefined;
  // A command is more than the statement in it: /explain shows a plan.
  if (text !== undefined && isAsWritten && COMMAND.test(text)) return text;
  return answer?.statement ?? text;
}

const COMMAND = /^\s*(?:[/\\.]\w|(?:explain|describe|desc|show|pragma|table)\b)/i;

function answerOf(live: RunningAnswer, end: NonNullable<RunningAnswer["end"]>): Answer {
  const { state, rowCount, truncated, elapsedMs, cached, rowsWritten, cut, remark, error } = end;
  return {
    state,
    rowCount,
    truncated,
    elapsedMs,
    cached,
    ...(rowsWritten === undefined ? {} : { rowsWritten }),
    ...(cut === undefined ? {} : { cut }),
    ...(remark === undefined ? {} : { remark }),
    ...(error === undefined ? {} : { error }),
    columns: [...live.columns],
    rows: live.rows,
  };
}
