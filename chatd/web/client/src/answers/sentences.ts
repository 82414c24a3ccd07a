/** What is said about an answer: how far it is, how it has ended, and what is missing from it. */
import { count, counted, duration } from "../format";
import type { Answer, AnswerCut, AnswerOutcome, AnswerPhase } from "../websocket/types";
import { CHART_ROWS_MAX } from "./chartable";

/** After so long the page says when an answer ends at the latest. Unit: ms. */
export const LATE_MS = 5_000;

/** How far an answer is. */
export function phaseText(phase: AnswerPhase, rowCount: number): string {
  switch (phase) {
    case "starting":
      return "Starting the database";
    case "queued":
      return "Waiting for a free slot";
    case "running":
      return "Running";
    case "fetching":
      return rowCount === 0 ? "Fetching rows" : `${counted(rowCount, "row")} so far`;
  }
}

/** When an answer ends at the latest, once it takes long; "" before. */
export function deadlineText(elapsedMs: number, limitMs: number): string {
  if (elapsedMs < LATE_MS || limitMs <= elapsedMs) return "";
  return `ends at ${seconds(limitMs)}`;
}

/** What an answer has come to, in a few words. */
export function outcomeText(answer: Answer): string {
  switch (answer.state) {
    case "done":
      return doneText(answer);
    case "error":
      return "Failed";
    case "cancelled":
      return `Stopped after ${duration(answer.elapsedMs)}`;
    case "timeout":
      return `Took longer than ${seconds(Math.floor(answer.elapsedMs / 1_000) * 1_000)}`;
    case "interrupted":
      return "The server was stopped while the database answered";
  }
}

/** What may help after such an end; "" if there is nothing to say. */
export function adviceText(state: AnswerOutcome): string {
  return state === "timeout" ? "Ask for less: add WHERE or LIMIT." : "";
}

/** The rows that had come before an answer ended without being done; "" if none had. */
export function partialText(answer: Answer): string {
  if (answer.state === "done" || answer.rowCount === 0) return "";
  return `${counted(answer.rowCount, "row")} had come until then.`;
}

/** The rows that a statement has changed; "" if that is not known. */
export function writtenText(rowsWritten: number | undefined): string {
  if (rowsWritten === undefined) return "";
  return `${counted(rowsWritten, "row")} ${rowsWritten === 1 ? "was" : "were"} changed`;
}

/** What is missing from an answer, in sentences. */
export function cutSentences(answer: Pick<Answer, "cut" | "truncated" | "rowCount">): string[] {
  const { cut, rowCount } = answer;
  const said: string[] = [];
  // An answer that says only that it is cut has left rows out.
  const isBare = answer.truncated && !cut?.rows && !cut?.values && !cut?.names;
  if (cut?.rows !== undefined || isBare) {
    said.push(`Cut after ${counted(rowCount, "row")}${rowsCutText(cut?.rows)}`);
  }
  if (cut?.values) {
    const are = cut.values === 1 ? "is" : "are";
    said.push(`${counted(cut.values, "value")} ${are} shortened to fit.`);
  }
  if (cut?.names) said.push(`Names or types of ${counted(cut.names, "column")} are shortened.`);
  return said;
}

/** What files hold of an answer whose rows are cut; "" if it has all rows, or no files. */
export function filesText(answer: Answer): string {
  if (answer.state !== "done" || cutBadge(answer) === "") return "";
  const isByLimit = answer.cut?.rows === "max_rows" || answer.cut?.rows === "max_bytes";
  const more = isByLimit ? ", or more if this server allows it" : "";
  return `Files hold the same rows${more}.`;
}

/** Why the rows of an answer that could be drawn are not; "" if they are. */
export function noChartText({ rowCount, rows }: Answer): string {
  if (rowCount > CHART_ROWS_MAX) return `A chart shows at most ${CHART_ROWS_MAX} rows.`;
  return rows.length < rowCount ? "A chart needs all rows; show them first." : "";
}

/** A badge for what is missing: "first 1,000 only"; "" if no rows are. */
export function cutBadge(answer: Pick<Answer, "cut" | "truncated" | "rowCount">): string {
  const isOther = Boolean(answer.cut?.values || answer.cut?.names);
  const isCut = answer.cut?.rows !== undefined || (answer.truncated && !isOther);
  return isCut ? `first ${count(answer.rowCount)} only` : "";
}

function doneText(answer: Answer): string {
  const written = writtenText(answer.rowsWritten);
  if (answer.columns.length === 0) return written || "Done";
  return written && answer.rowsWritten !== 0
    ? `${counted(answer.rowCount, "row")}, ${written}`
    : counted(answer.rowCount, "row");
}

function rowsCutText(why: AnswerCut["rows"]): string {
  switch (why) {
    case "max_rows":
      return ", the most that one answer shows; there are more in the database.";
    case "max_bytes":
      return ", as many bytes as fit; there are more in the database.";
    case "large_value":
      return ": a value in the next row is too large to be handed out.";
    default:
      return " by the database’s server; there are more in the database.";
  }
}

/** Whole seconds. */
function seconds(ms: number): string {
  return `${count(Math.max(1, Math.round(ms / 1_000)))} s`;
}
