import { useMemo, useState, type MouseEvent, type ReactNode } from "react";
import { count, moment } from "../format";
import { useChat, useChatStore } from "../hooks/useChat";
import { useRowMemory } from "../hooks/useRowMemory";
import { addressesIn } from "../messages/addresses";
import { CODE_LINES, folded, TEXT_CHARS, TEXT_LINES } from "../messages/folding";
import { linkedPlace } from "../messages/links";
import { mentionsIn, type Mentioned } from "../messages/mentions";
import { partsOf, type Part } from "../messages/parts";
import type { ChatMessage } from "../websocket/types";
import { Sql } from "./Sql";

/** The content of a message: text as it was written, and blocks of code and SQL. */
export function MessageBody({ message }: { message: ChatMessage }) {
  const { content } = message;
  const parts = useMemo(() => partsOf(content), [content]);
  const edited = message.editedAt !== undefined && <EditedMark at={message.editedAt} />;
  return (
    <div className="message-body">
      {parts.map((part, at) => (
        <Foldable
          // Parts have no ids of their own; an edit makes them all anew.
          // oxlint-disable-next-line react/no-array-index-key
          key={at}
          id={`${message.messageId} ${at}`}
          part={part}
          message={message}
          edited={at === parts.length - 1 && part.kind === "text" ? edited : undefined}
        />
      ))}
      {parts.at(-1)?.kind !== "text" && edited}
    </div>
  );
}

interface FoldableProps {
  id: string;
  part: Part;
  message: ChatMessage;
  /** What stands after the text. */
  edited: ReactNode;
}

function EditedMark({ at }: { at: number }) {
  return (
    <span className="message-edited" title={`Edited ${moment(at)}`}>
      (edited)
    </span>
  );
}

function Foldable({ id, part, message, edited }: FoldableProps) {
  const memory = useRowMemory();
  const [isOpen, setOpen] = useState(memory.unfolded.has(id));
  const linesMax = part.kind === "text" ? TEXT_LINES : CODE_LINES;
  const { head, lines, isLong } = useMemo(
    () => folded(part.text, linesMax, TEXT_CHARS),
    [part.text, linesMax],
  );
  function toggle() {
    if (isOpen) memory.unfolded.delete(id);
    else memory.unfolded.add(id);
    memory.holdStill();
    setOpen(!isOpen);
  }
  const text = isLong && !isOpen ? head : part.text;
  return (
    <>
      {part.kind === "text" ? (
        <p className="message-text">
          <LinkedText text={isLong && !isOpen ? `${text}…` : text} message={message} />
          {edited}
        </p>
      ) : (
        <pre className="message-code">{part.kind === "sql" ? <Sql text={text} /> : text}</pre>
      )}
      {isLong && (
        <button type="button" className="message-fold" aria-expanded={isOpen} onClick={toggle}>
          {isOpen ? "Show less" : unfoldWords(lines, linesMax)}
        </button>
      )}
    </>
  );
}

function unfoldWords(lines: number, linesMax: number): string {
  return lines > linesMax ? `Show all ${count(lines)} lines` : "Show the whole message";
}

function LinkedText({ text, message }: { text: string; message: ChatMessage }) {
  const pieces = useMemo(() => addressesIn(text), [text]);
  return pieces.map((piece, at) => {
    const Piece = piece.isAddress ? Address : MentioningText;
    // oxlint-disable-next-line react/no-array-index-key
    return <Piece key={at} text={piece.text} message={message} />;
  });
}

/** An address of the web; one of a place in this chat opens here. */
function Address({ text }: { text: string }) {
  const chat = useChat();
  function open(event: MouseEvent) {
    const place = linkedPlace(text, chat.url);
    if (place === undefined || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    const { room, seq, threadId } = place;
    void chat.store.getState().openRoom(room, seq === undefined ? {} : { seq });
    if (threadId !== undefined) chat.ui.getState().openPanel({ kind: "thread", threadId });
  }
  return (
    <a href={text} target="_blank" rel="noopener noreferrer nofollow" dir="ltr" onClick={open}>
      {text}
    </a>
  );
}

function MentioningText({ text, message }: { text: string; message: ChatMessage }) {
  const { mentions } = message;
  if (mentions === undefined || mentions.length === 0) return text;
  return <MarkedText text={text} mentions={mentions} />;
}

function MarkedText({ text, mentions }: { text: string; mentions: readonly string[] }) {
  const names = useChatStore((state) => state.names);
  const me = useChatStore((state) => state.me);
  const segments = useMemo(() => {
    const mentioned: Mentioned[] = mentions.map((userId) => {
      const name = names.get(userId) ?? (userId === me?.userId ? me.name : undefined);
      return { userId, names: name === undefined ? [] : [name] };
    });
    return mentionsIn(text, mentioned);
  }, [text, mentions, names, me]);
  return segments.map((segment, at) =>
    segment.userId === undefined ? (
      segment.text
    ) : (
      <span
        // oxlint-disable-next-line react/no-array-index-key
        key={at}
        className={segment.userId === me?.userId ? "message-mention is-me" : "message-mention"}
      >
        {segment.text}
      </span>
    ),
  );
}
