/** What a message consists of: running text, blocks of code, and SQL. */
import { looksLikeSql, uncommented } from "../sql";

export interface Part {
  readonly kind: "text" | "code" | "sql";
  readonly text: string;
}

/** A message with more blocks than this shows the rest as text. */
const BLOCKS_MAX = 40;
const SQL_NAMES = new Set(["sql", "sqlite", "postgres", "postgresql", "pgsql", "psql", "mysql"]);
const FENCE = /^ {0,3}```/;

/** The parts of a message, as they are shown one below the other. */
export function partsOf(content: string): Part[] {
  if (!content.includes("```")) {
    return [{ kind: looksLikeSql(content) ? "sql" : "text", text: content }];
  }
  const parts: Part[] = [];
  let text: string[] = [];
  let block: { language: string; lines: string[] } | undefined;
  for (const line of content.split("\n")) {
    if (block !== undefined) {
      if (FENCE.test(line)) {
        parts.push(blockOf(block.language, block.lines));
        block = undefined;
      } else {
        block.lines.push(line);
      }
    } else if (FENCE.test(line) && parts.length < BLOCKS_MAX) {
      pushText(parts, text);
      text = [];
      const inside = line.trimStart().slice(3);
      if (inside.endsWith("```")) parts.push(blockOf("", [inside.slice(0, -3)]));
      else block = { language: inside.trim().toLowerCase(), lines: [] };
    } else {
      text.push(line);
    }
  }
  if (block !== undefined) parts.push(blockOf(block.language, block.lines));
  pushText(parts, text);
  return parts;
}

/** A message on one line, without the marks of its blocks; a question is SQL, whatever it seems. */
export function lineOf(content: string, isQuestion = false): string {
  return partsOf(content)
    .map(({ kind, text }) =>
      isQuestion || kind === "sql" ? uncommented(text) : text.replace(/\s+/g, " ").trim(),
    )
    .join(" ");
}

function pushText(parts: Part[], lines: readonly string[]): void {
  const text = lines.join("\n").replace(/^\n+/, "").trimEnd();
  if (text !== "") parts.push({ kind: "text", text });
}

function blockOf(language: string, lines: readonly string[]): Part {
  const text = lines.join("\n");
  const isSql = SQL_NAMES.has(language) || (language === "" && looksLikeSql(text));
  return { kind: isSql ? "sql" : "code", text };
}
