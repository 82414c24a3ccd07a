/**
 * A table as it goes to the clipboard: as text for editors and spreadsheets, and as HTML for
 * documents. NULL is empty, as in the files that are downloaded.
 *
 * A text that begins like a formula stays as it is shown: whoever copies a table wants what is
 * there, and an apostrophe before it would change the text wherever else it is pasted. The HTML,
 * which spreadsheets prefer, marks it as a text, so that none of them runs it or rounds its digits.
 * The downloads, which may be opened unseen, have their formulas disarmed by the server.
 */
import type { AnswerColumn, Cell, Row } from "../websocket/types";
import { wholeText } from "./values";

/** Lines of cells with tabs between them; a cell with a tab or a line break stands in quotes. */
export function tsvOf(columns: readonly AnswerColumn[], rows: readonly Row[]): string {
  const head = columns.map((column) => tsvField(column.name)).join("\t");
  const lines = rows.map((row) =>
    columns.map((_, index) => tsvField(copied(row[index]))).join("\t"),
  );
  return [head, ...lines].join("\n");
}

/** The same as an HTML table; every text in it is escaped. */
export function htmlOf(columns: readonly AnswerColumn[], rows: readonly Row[]): string {
  const head = columns.map((column) => `<th${TEXT}>${htmlText(column.name)}</th>`).join("");
  const body = rows.map(
    (row) => `<tr>${columns.map((_, index) => htmlCell(row[index])).join("")}</tr>`,
  );
  return `<table><thead><tr>${head}</tr></thead><tbody>${body.join("")}</tbody></table>`;
}

function copied(cell: Cell | undefined): string {
  return cell === null || cell === undefined ? "" : wholeText(cell);
}

function tsvField(text: string): string {
  return /[\t\n\r]|^"/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

function htmlCell(cell: Cell | undefined): string {
  const isText = typeof cell === "string" || (typeof cell === "object" && cell !== null);
  return `<td${isText ? TEXT : ""}>${htmlText(copied(cell))}</td>`;
}

/** Spreadsheets would run a formula, and round a number of more than 15 digits. */
const TEXT = " style=\"mso-number-format:'\\@'\"";

/** A line break stays in its cell: a spreadsheet would begin another row. */
function htmlText(text: string): string {
  const broken = '<br style="mso-data-placement:same-cell">';
  return escaped(text).replace(/\r\n|\r|\n/g, broken);
}

const ENTITIES: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};

function escaped(text: string): string {
  return text.replace(/[&<>"']/g, (char) => ENTITIES[char] ?? char);
}
