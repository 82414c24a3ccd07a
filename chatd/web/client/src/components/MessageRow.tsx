import { memo, useState, type FocusEvent, type KeyboardEvent } from "react";
import { day, moment, timeOfDay } from "../format";
import { useChatStore, useUi } from "../hooks/useChat";
import { TOUCH } from "../hooks/useMedia";
import { useNow } from "../hooks/useNow";
import { useMessage, useName } from "../hooks/useMessage";
import { useMessageActions, type MessageActions } from "../hooks/useMessageActions";
import { beginsDay, goesOn, isDatabase, isSystem } from "../messages/authors";
import type { ChatMessage } from "../websocket/types";
import { AnswerCard } from "./AnswerCard";
import { AuthorPicture } from "./AuthorPicture";
import { EditedNote } from "./EditedNote";
import { MessageBody } from "./MessageBody";
import { MessageEditor } from "./MessageEditor";
import { FailedNote, GoneNote, HintNote } from "./MessageNotes";
import { MessageState } from "./MessageState";
import { MessageToolbar } from "./MessageToolbar";
import { Reactions } from "./Reactions";
import { RowBoundary } from "./RowBoundary";
import { ServerBadge } from "./ServerBadge";
import { InThreadLink, RepliesButton } from "./ThreadLinks";

export interface MessageRowProps {
  id: string;
  /** The message above it, if the page holds it. */
  previousId: string | undefined;
  /**
   * Whether nothing lies above the messages that the page holds: the very first message has its day
   * above it.
   */
  isWhole: boolean;
  /** A line above it, in words. */
  line: string | undefined;
  lineLook: "new" | "replies";
  /** Whether it was just jumped to. */
  isMarked: boolean;
  /** Whether Tab comes to it. */
  isActive: boolean;
  /** Whether the list it is in is a thread. */
  isInThread: boolean;
  /** How many messages the room has; -1 if that is not known. */
  setSize: number;
}

/** A message in a list, with the lines that stand above it. */
export const MessageRow = memo(function MessageRow(props: MessageRowProps) {
  const message = useMessage(props.id);
  const previous = useMessage(props.previousId);
  if (message === undefined) return null;
  const isFirstOfDay = beginsDay(message, previous) && (previous !== undefined || props.isWhole);
  return (
    <>
      {isFirstOfDay && <DayLine at={message.timestamp} />}
      {props.line !== undefined && (
        <div className={`message-line is-${props.lineLook}`} role="separator">
          <span>{props.line}</span>
        </div>
      )}
      <Message
        {...props}
        message={message}
        isFollowing={props.line === undefined && goesOn(message, previous)}
      />
    </>
  );
});

/** How soon a line notices that its day is over. Unit: ms. */
const DAY_TICK_MS = 60_000;

function DayLine({ at }: { at: number }) {
  const words = day(at, useNow(DAY_TICK_MS));
  return (
    <div className="message-line is-day" role="separator" aria-label={words}>
      <span>{words}</span>
    </div>
  );
}

interface MessageProps extends MessageRowProps {
  message: ChatMessage;
  /** Whether it stands below the name of the one before it. */
  isFollowing: boolean;
}

function Message(props: MessageProps) {
  const { message, isActive, isMarked, isInThread, setSize } = props;
  const me = useChatStore((state) => state.me?.userId);
  const name = useName(message.userId, message.name);
  const isEditing = useUi((state) => state.editing === message.messageId);
  const isEdited = useUi((state) => state.edited === message.messageId);
  const actions = useMessageActions(message, isInThread);
  const near = useNearness();
  const isMine = message.userId === me;
  const isMention = !isMine && me !== undefined && message.mentions?.includes(me) === true;
  const isFromDatabase = isDatabase(message.userId);
  const classes = [
    "message",
    props.isFollowing && "is-following",
    isFromDatabase && "is-database",
    isSystem(message.userId) && "is-system",
    isMention && "mentions-me",
    isMarked && "is-marked",
    message.status === "error" && "is-failed",
  ];
  return (
    // A message can have the focus, so that arrows and letters act on it.
    // oxlint-disable-next-line jsx-a11y/no-noninteractive-element-interactions
    <article
      className={classes.filter(Boolean).join(" ")}
      data-message-id={message.messageId}
      data-seq={message.seq}
      data-focus-first={isActive || undefined}
      // oxlint-disable-next-line jsx-a11y/no-noninteractive-tabindex
      tabIndex={isActive ? 0 : -1}
      // No name can put words behind the time.
      aria-label={`${isFromDatabase ? "Answer" : name}, ${timeOfDay(message.timestamp)}${isSystem(message.userId) ? ", from the server" : ""}`}
      aria-posinset={message.seq}
      aria-setsize={message.seq === undefined ? undefined : setSize}
      onKeyDown={(event) => onRowKey(event, actions)}
      {...near.handlers}
    >
      <Gutter message={message} name={name} isFollowing={props.isFollowing} />
      <div className="message-main">
        {!props.isFollowing && !isFromDatabase && <Header message={message} name={name} />}
        {message.threadId !== undefined && !isInThread && (
          <InThreadLink threadId={message.threadId} />
        )}
        <RowBoundary message={message}>
          {isEditing && actions.canEdit ? (
            <MessageEditor message={message} />
          ) : (
            <Content message={message} />
          )}
        </RowBoundary>
        {message.status === "error" && <FailedNote message={message} />}
        {isEdited && actions.canEdit && <EditedNote message={message} />}
        {message.hint !== undefined && <HintNote message={message} hint={message.hint} />}
        {message.reactions !== undefined && message.reactions.length > 0 && (
          <Reactions reactions={message.reactions} actions={actions} />
        )}
        {!isInThread && message.replies !== undefined && message.replies.count > 0 && (
          <RepliesButton threadId={message.messageId} replies={message.replies} />
        )}
      </div>
      <span className="message-end">{isMine && <MessageState status={message.status} />}</span>
      {near.isNear && !isEditing && (
        <MessageToolbar
          actions={actions}
          isInThread={message.threadId !== undefined}
          left={near.focusRow}
        />
      )}
    </article>
  );
}

function Content({ message }: { message: ChatMessage }) {
  if (message.deletedAt !== undefined || message.status === "damaged") {
    return <GoneNote message={message} />;
  }
  if (message.answer !== undefined || isDatabase(message.userId)) {
    return <AnswerCard message={message} />;
  }
  return <MessageBody message={message} />;
}

interface HeadProps {
  message: ChatMessage;
  name: string;
}

function Header({ message, name }: HeadProps) {
  return (
    <header className="message-header">
      <strong className="message-author">{name}</strong>
      {isSystem(message.userId) && <ServerBadge />} <Time at={message.timestamp} />
    </header>
  );
}

/** Left of a message: whose it is, or, below others of the same author, when it was written. */
function Gutter({ message, name, isFollowing }: HeadProps & { isFollowing: boolean }) {
  if (isFollowing) {
    return (
      <span className="message-gutter">
        <Time at={message.timestamp} />
      </span>
    );
  }
  return (
    <span className="message-gutter" aria-hidden="true">
      <AuthorPicture userId={message.userId} name={name} />
    </span>
  );
}

function Time({ at }: { at: number }) {
  return (
    <time className="message-time" dateTime={new Date(at).toISOString()} title={moment(at)}>
      {timeOfDay(at)}
    </time>
  );
}

/** Whether a finger has used something in a row, which asks for no toolbar. */
function isTapped(target: Element): boolean {
  return (
    window.matchMedia(TOUCH).matches &&
    target.matches("button, a, table, select, textarea") &&
    target.closest(".message-toolbar") === null
  );
}

/** Whether the mouse or the focus is in the row: only then does it have a toolbar. */
function useNearness() {
  const [isHovered, setHovered] = useState(false);
  const [hasFocus, setFocus] = useState(false);
  const [row, setRow] = useState<HTMLElement | null>(null);
  return {
    isNear: isHovered || hasFocus,
    focusRow: () => row?.focus({ preventScroll: true }),
    handlers: {
      ref: setRow,
      onPointerEnter: () => setHovered(true),
      onPointerLeave: () => setHovered(false),
      onFocus: ({ target }: FocusEvent<HTMLElement>) => setFocus(!isTapped(target)),
      onBlur(event: FocusEvent<HTMLElement>) {
        if (!event.currentTarget.contains(event.relatedTarget)) setFocus(false);
      },
    },
  };
}

/** The keys of a message, while it has the focus itself. */
function onRowKey(event: KeyboardEvent<HTMLElement>, actions: MessageActions): void {
  if (event.target !== event.currentTarget) return;
  if (event.altKey || event.ctrlKey || event.metaKey || event.shiftKey) return;
  if (!act(event.key, event.currentTarget, actions)) return;
  event.preventDefault();
}

function act(key: string, row: HTMLElement, actions: MessageActions): boolean {
  switch (key) {
    case "Enter":
      row.querySelector<HTMLElement>(".message-toolbar button")?.focus();
      return true;
    case "r":
      if (actions.canReply) actions.reply();
      return actions.canReply;
    case "c":
      if (actions.hasText) void actions.copy();
      return actions.hasText;
    case "l":
      if (actions.hasLink) void actions.copyLink();
      return actions.hasLink;
    case "e":
      if (actions.canEdit) actions.edit();
      else if (actions.canAsk) actions.editAndRun();
      else return false;
      return true;
    default:
      return false;
  }
}
