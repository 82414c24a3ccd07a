import { memo } from "react";
import type { Span } from "../answers/corrections";
import { Sql } from "./Sql";

/** A statement, coloured; with a mark on the word that an error complains about. */
export const Statement = memo(function Statement({ text, place }: StatementProps) {
  const { from, to } = place ?? { from: text.length, to: text.length };
  return (
    // It scrolls, so the keyboard must come to it.
    // oxlint-disable-next-line jsx-a11y/no-noninteractive-tabindex
    <pre className="answer-statement" role="group" tabIndex={0} aria-label="Statement">
      <Sql text={text.slice(0, from)} />
      {place === undefined ? null : (
        <mark className="answer-place" title="Here">
          <Sql text={text.slice(from, to)} />
        </mark>
      )}
      {to < text.length ? <Sql text={text.slice(to)} /> : null}
    </pre>
  );
});

interface StatementProps {
  text: string;
  place?: Span | undefined;
}
