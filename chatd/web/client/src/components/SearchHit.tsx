import { useMemo } from "react";
import { moment, shortMoment } from "../format";
import { useName } from "../hooks/useMessage";
import { isDatabase, isSystem } from "../messages/authors";
import { highlighted, plainText } from "../messages/highlights";
import type { FoundMessage } from "../websocket/types";
import { ServerBadge } from "./ServerBadge";

interface SearchHitProps {
  hit: FoundMessage;
  /** The room’s name, if several are searched. */
  roomTitle: string | undefined;
  open(): void;
}

/** What was found: who wrote it, when, and the text around the match. */
export function SearchHit({ hit, roomTitle, open }: SearchHitProps) {
  const { message, snippet, highlights } = hit;
  const name = useName(message.userId, message.name);
  const isAnswer = isDatabase(message.userId);
  const stretches = useMemo(() => highlighted(snippet, highlights), [snippet, highlights]);
  return (
    <button type="button" className="search-hit" onClick={open}>
      <span className="search-hit-head">
        <strong>{isAnswer ? "Answer" : name}</strong>
        {isSystem(message.userId) && <ServerBadge />}
        {roomTitle !== undefined && <span className="soft">{roomTitle}</span>}
        <time
          className="soft"
          dateTime={new Date(message.timestamp).toISOString()}
          title={moment(message.timestamp)}
        >
          {shortMoment(message.timestamp)}
        </time>
      </span>
      <span className="search-snippet">
        {stretches.map((stretch, at) =>
          stretch.isHit ? (
            // oxlint-disable-next-line react/no-array-index-key
            <mark key={at}>{isAnswer ? plainText(stretch.text) : stretch.text}</mark>
          ) : (
            shownText(stretch.text, isAnswer, at === 0)
          ),
        )}
      </span>
    </button>
  );
}

function shownText(text: string, isAnswer: boolean, isFirst: boolean): string {
  if (!isAnswer) return text;
  return isFirst ? plainText(text).replace(/^ · /, "") : plainText(text);
}
