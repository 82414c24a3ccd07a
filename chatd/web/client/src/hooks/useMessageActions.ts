import { composeAt } from "../composer/composeAt";
import { useMemo } from "react";
import { copyText } from "../copyText";
import { messageLink } from "../messages/links";
import { isDatabase } from "../messages/authors";
import type { Chat } from "../stores/chat";
import type { ChatMessage } from "../websocket/types";
import { useChat, useChatStore, useIsViewer } from "./useChat";

/** What the user may do with a message, as far as the server supports it. */
export interface MessageActions {
  readonly canReact: boolean;
  readonly canReply: boolean;
  readonly canEdit: boolean;
  readonly canDelete: boolean;
  /** Whether it is an answer, whose question can be asked again. */
  readonly canAsk: boolean;
  readonly hasLink: boolean;
  /** Whether there is text to copy. */
  readonly hasText: boolean;
  react(emoji: string, on: boolean): void;
  reply(): void;
  /** Returns whether it was copied. */
  copy(): Promise<boolean>;
  copyLink(): Promise<boolean>;
  edit(): void;
  delete(): void;
  /** Put what was asked into the composer: the statement of an answer, or the text. */
  editAndRun(): void;
}

/** @param isInThread whether the list is the thread itself, where nothing opens it again */
export function useMessageActions(message: ChatMessage, isInThread: boolean): MessageActions {
  const chat = useChat();
  const me = useChatStore((state) => state.me?.userId);
  const server = useChatStore((state) => state.server);
  const isViewer = useIsViewer(message.connectionId);
  // What the server can do changes only with the server.
  // oxlint-disable-next-line react/exhaustive-deps
  const actions = useMemo(() => actionsOf(chat, message, me), [chat, message, me, server]);
  return useMemo(() => {
    const closed = isViewer ? CLOSED : {};
    const hidden = isInThread || (isViewer && message.threadId === undefined);
    return { ...actions, ...closed, ...(hidden ? { canReply: false } : {}) };
  }, [actions, isInThread, isViewer, message.threadId]);
}

/** What a viewer of the room may not do. */
const CLOSED = { canReact: false, canEdit: false, canDelete: false, canAsk: false } as const;

function actionsOf(chat: Chat, message: ChatMessage, me: string | undefined): MessageActions {
  const { can, react, deleteMessage } = chat.store.getState();
  const ui = chat.ui.getState();
  const { messageId, seq } = message;
  const isThere = seq !== undefined && message.status !== "damaged";
  const isWhole = isThere && message.deletedAt === undefined;
  const isOwn = isWhole && message.userId === me && !isDatabase(message.userId);
  const threadId = message.threadId ?? messageId;
  return {
    canReact: isWhole && can("reactions"),
    canReply: isThere && can("threads"),
    canEdit: isOwn && can("edit"),
    canDelete: isOwn && can("edit"),
    canAsk: isDatabase(message.userId),
    hasLink: isThere,
    hasText: message.deletedAt === undefined && message.status !== "damaged",
    react: (emoji, on) => void react(messageId, emoji, on),
    reply: () => ui.openPanel({ kind: "thread", threadId }),
    copy: () => copied(chat, textOf(message), "Copied."),
    copyLink: () => {
      const { connectionId: room } = message;
      const place = { room, ...(seq === undefined ? {} : { seq }) };
      const inThread = message.threadId === undefined ? {} : { threadId: message.threadId };
      return copied(chat, messageLink(chat.url, { ...place, ...inThread }), "Link copied.");
    },
    edit: () => ui.startEditing(messageId),
    delete: () => void deleteMessage(messageId),
    editAndRun: () =>
      composeAt(
        chat,
        { room: message.connectionId, threadId: message.threadId },
        askedOf(chat, message),
      ),
  };
}

/** What was written, exactly. */
export function textOf(message: ChatMessage): string {
  return message.raw ?? message.content;
}

/** What was asked: the statement that ran, or the text of the question. */
function askedOf(chat: Chat, message: ChatMessage): string {
  if (message.answer?.statement !== undefined) return message.answer.statement;
  const { messages } = chat.store.getState();
  const question = message.replyTo === undefined ? undefined : messages.get(message.replyTo);
  return textOf(question ?? message);
}

async function copied(chat: Chat, text: string, words: string): Promise<boolean> {
  const isCopied = await copyText(text);
  if (isCopied) chat.ui.getState().announce(words);
  else {
    chat.store
      .getState()
      .notify({ kind: "error", text: "The browser does not let the page copy. Mark it by hand." });
  }
  return isCopied;
}
