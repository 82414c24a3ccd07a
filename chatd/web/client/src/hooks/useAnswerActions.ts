/** What can be done with an answer that has ended. */
import { composeAt } from "../composer/composeAt";
import { useCallback } from "react";
import { copyText } from "../answers/clipboard";
import { htmlOf, tsvOf } from "../answers/copying";
import { kindsOf } from "../answers/kinds";
import { sortedOrder, type Sort } from "../answers/sorting";
import { askAgain } from "../composer/asking";
import { counted } from "../format";
import type { ExportFormat } from "../stores/state";
import type { Answer, ChatMessage } from "../websocket/types";
import { useChat } from "./useChat";

export interface AnswerActions {
  /** All of the answer: rows that were left out are read first. */
  whole(): Promise<Answer | undefined>;
  /** Copy its rows in the order that is shown; returns whether that worked. */
  copy(sort: Sort | undefined): Promise<boolean>;
  download(format: ExportFormat, query?: string): Promise<void>;
  /** Ask the same again, in the same room and thread. */
  runAgain(): Promise<void>;
  edit(): void;
  /** Put a statement into the composer that asked. */
  compose(statement: string): void;
  reply(): void;
  openInPanel(): void;
}

/** `asked`: what to ask again, as `askedText` says it. */
export function useAnswerActions(
  message: ChatMessage,
  question: ChatMessage | undefined,
  asked: string | undefined,
): AnswerActions {
  const chat = useChat();
  const { messageId, connectionId } = message;

  const whole = useCallback(async () => {
    const held = () => chat.store.getState().messages.get(messageId)?.answer ?? message.answer;
    if ((held()?.rowsOmitted ?? 0) > 0) {
      await chat.store.getState().fetchAnswer(messageId, connectionId);
    }
    return held();
  }, [chat, messageId, connectionId, message.answer]);

  const copy = async (sort: Sort | undefined) => {
    const { announce } = chat.ui.getState();
    const answer = await whole().catch(() => undefined);
    if (answer === undefined || (answer.rowsOmitted ?? 0) > 0) {
      announce("The rows could not be read.", "assertive");
      return false;
    }
    const { columns, rows } = answer;
    const order = sort && sortedOrder(rows, sort, kindsOf(columns, rows)[sort.column]);
    const shown = order?.map((index) => rows[index] ?? []) ?? rows;
    const isCopied = await copyText(tsvOf(columns, shown), htmlOf(columns, shown));
    announce(isCopied ? `Copied ${counted(rows.length, "row")}.` : "The rows were not copied.");
    return isCopied;
  };

  const download = async (format: ExportFormat, query = "") => {
    const link = await chat.store
      .getState()
      .exportLink(messageId, format)
      .catch(() => undefined);
    if (link !== undefined) follow(link + query);
  };

  const runAgain = async () => {
    if (asked === undefined) return;
    const threadId = question?.threadId ?? message.threadId;
    await askAgain(chat, asked, {
      room: connectionId,
      ...(question?.context === undefined ? {} : { context: question.context }),
      ...(threadId === undefined ? {} : { threadId }),
    });
  };

  const compose = (text: string) => {
    const threadId = question?.threadId ?? message.threadId;
    composeAt(chat, { room: connectionId, threadId }, text);
  };

  const reply = () => {
    const threadId = message.threadId ?? messageId;
    chat.ui.getState().openPanel({ kind: "thread", threadId });
  };

  return {
    whole,
    copy,
    download,
    runAgain,
    reply,
    edit: () => asked !== undefined && compose(asked),
    compose,
    openInPanel: () => chat.ui.getState().openPanel({ kind: "answer", answerId: messageId }),
  };
}

/** Have the browser download what a link of the server gives. */
function follow(link: string): void {
  const anchor = document.createElement("a");
  anchor.href = link;
  anchor.download = "";
  anchor.rel = "noopener";
  document.body.append(anchor);
  anchor.click();
  anchor.remove();
}
