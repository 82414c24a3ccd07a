import { useEffect } from "react";
import { counted, duration } from "../format";
import type { Chat } from "../stores/chat";
import type { ChatState } from "../stores/state";
import type { ChatMessage } from "../websocket/types";

/** If more new messages than this come at once, only their number is told. */
const TOLD_MAX = 3;
/** Messages within this time are told together. Unit: ms. */
const TOGETHER_MS = 2_000;
const CHARS_MAX = 120;

/**
 * Tell people who cannot see the page of each new message in the open room, and of answers when
 * they end.
 */
export function useAnnouncer(chat: Chat): void {
  useEffect(() => {
    let fresh: ChatMessage[] = [];
    let timer: ReturnType<typeof setTimeout> | undefined;
    const stop = chat.store.subscribe((now, before) => {
      fresh.push(...newMessages(now, before));
      if (fresh.length === 0 || timer !== undefined) return;
      timer = setTimeout(() => {
        chat.ui.getState().announce(announcementOf(fresh, chat.store.getState()));
        fresh = [];
        timer = undefined;
      }, TOGETHER_MS / 4);
    });
    return () => {
      clearTimeout(timer);
      stop();
    };
  }, [chat]);
}

/** What others have written in the open room between two states, live. */
export function newMessages(now: ChatState, before: ChatState): ChatMessage[] {
  const view = now.views.get(now.room);
  const old = before.views.get(now.room);
  if (view === undefined || old?.isReady !== true || now.room !== before.room) return [];
  if (view.ids === old.ids && now.messages === before.messages) return [];
  const from = view.ids.findLastIndex(
    (id) => (now.messages.get(id)?.seq ?? Infinity) <= old.newest,
  );
  return view.ids
    .slice(from + 1)
    .flatMap((id) => now.messages.get(id) ?? [])
    .filter((message) => message.seq !== undefined && message.userId !== now.me?.userId);
}

/** @example "Bob: hello.", "5 new messages", "Answer to SELECT 1: 1 row in 12 ms." */
export function announcementOf(fresh: readonly ChatMessage[], state: ChatState): string {
  if (fresh.length > TOLD_MAX) return counted(fresh.length, "new message");
  return fresh.map((message) => ended(sentenceOf(message, state))).join(" ");
}

/** A sentence with its full stop; what people write may bring one. */
function ended(sentence: string): string {
  return /[.!?…]$/.test(sentence) ? sentence : `${sentence}.`;
}

function sentenceOf(message: ChatMessage, state: ChatState): string {
  const { answer, replyTo } = message;
  if (answer === undefined) {
    const author = message.name ?? state.names.get(message.userId) ?? message.userId;
    return `${author}: ${message.content.slice(0, CHARS_MAX)}`;
  }
  const question = replyTo === undefined ? undefined : state.messages.get(replyTo);
  const asked = question === undefined ? "Answer" : `Answer to ${question.content.slice(0, 60)}`;
  if (answer.state !== "done") return `${asked}: ${answer.error?.message ?? answer.state}`;
  return `${asked}: ${counted(answer.rowCount, "row")} in ${duration(answer.elapsedMs)}`;
}
