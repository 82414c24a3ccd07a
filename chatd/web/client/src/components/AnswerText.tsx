import { memo } from "react";
import { readable } from "../answers/values";

/** Text that a database's server wrote, as its help: words between backticks stand as code. */
export const AnswerText = memo(function AnswerText({ text }: { text: string }) {
  return (
    <div className="answer-text">
      {readable(text)
        .split(/`([^`\n]{1,200})`/)
        // The parts of a text have nothing but their place.
        // oxlint-disable-next-line react/no-array-index-key
        .map((part, index) => (index % 2 === 1 ? <code key={index}>{part}</code> : part))}
    </div>
  );
});
