import { memo, type ReactNode } from "react";
import { readable } from "../answers/values";

/** Lines that begin with a dash, one after the other. */
const LIST = /((?:^- .*(?:\n|$))+)/m;

/**
 * Text that a database's server wrote, such as its help: lines with a dash become a list, and words
 * between backticks become code.
 */
export const AnswerText = memo(function AnswerText({ text }: { text: string }) {
  return (
    <div className="answer-text">
      {readable(text)
        .split(LIST)
        // The parts of a text have no identity but their place.
        // oxlint-disable-next-line react/no-array-index-key
        .map((part, index) => (index % 2 === 1 ? <List key={index} text={part} /> : coded(part)))}
    </div>
  );
});

function List({ text }: { text: string }) {
  return (
    <ul>
      {text
        .trimEnd()
        .split("\n")
        .map((line, index) => (
          // oxlint-disable-next-line react/no-array-index-key
          <li key={index}>{coded(line.slice(2))}</li>
        ))}
    </ul>
  );
}

function coded(text: string): ReactNode[] {
  return (
    text
      .split(/`([^`\n]{1,200})`/)
      // oxlint-disable-next-line react/no-array-index-key
      .map((part, index) => (index % 2 === 1 ? <code key={index}>{part}</code> : part))
  );
}
