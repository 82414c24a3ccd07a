import { useEffect, useState } from "react";
import { deadlineText } from "../answers/sentences";
import { duration } from "../format";

/** Between two looks at the clock. Unit: ms. */
const TICK_MS = 200;

/** How long an answer has taken; renders by itself, and nothing around it. */
export function Elapsed({ startedAt, deadline }: { startedAt: number; deadline: number }) {
  const [now, setNow] = useState(startedAt);
  useEffect(() => {
    const look = () => setNow(performance.now());
    look();
    const timer = setInterval(look, TICK_MS);
    return () => clearInterval(timer);
  }, []);
  const elapsed = Math.max(0, Math.min(now, deadline) - startedAt);
  const late = deadlineText(elapsed, deadline - startedAt);
  return (
    <span className="answer-elapsed soft" role="timer">
      {elapsed < 1_000 ? "" : duration(elapsed)}
      {late === "" ? "" : ` · ${late}`}
    </span>
  );
}
