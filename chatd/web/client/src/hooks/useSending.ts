import { useEffect, useRef, useState, type RefObject } from "react";
import type { ComposerPlace } from "../composer/composing";
import { lengthOf } from "../composer/counting";
import { joined } from "../composer/drafts";
import type { Field } from "../composer/field";
import { contextOf, UNCHANGED, type Question } from "../composer/question";
import { obstacleOf, refusalOf } from "../composer/refusals";
import type { Chat } from "../stores/chat";
import type { SendOptions } from "../stores/state";
import { useChat } from "./useChat";
import type { DraftKeeper } from "./useDraft";
import { useLatest } from "./useLatest";

export interface Sending {
  send(): void;
  /** Why the last message was refused, until something else is written. */
  refusal: string | undefined;
  forgetRefusal(): void;
  /** The text on its way into the outbox: the draft holds it until it has arrived. */
  flying(): string;
}

interface Parts {
  field: RefObject<Field | null>;
  place: ComposerPlace;
  question: Question;
  ask(question: Question): void;
  draft: DraftKeeper;
}

/**
 * Sends what is in the box: the box is emptied at once, and gets its text back if the outbox
 * refuses. One message at a time goes into the outbox, so that none overtakes another.
 */
export function useSending(parts: Parts): Sending {
  const chat = useChat();
  const [refusal, setRefusal] = useState<string | undefined>(undefined);
  const flying = useRef<string | undefined>(undefined);
  const isWanted = useRef(false);
  const isThere = useRef(true);
  const latest = useLatest(parts);

  useEffect(() => {
    isThere.current = true;
    return () => {
      isThere.current = false;
    };
  }, []);

  function send(): void {
    isWanted.current = flying.current !== undefined;
    if (isWanted.current) return;
    const text = latest.current.field.current?.text() ?? "";
    const max = chat.store.getState().limits?.contentChars;
    if (obstacleOf(text, lengthOf(text, max)) === undefined) void sendNow(text);
  }

  async function sendNow(content: string): Promise<void> {
    const { field, place, question, ask, draft } = latest.current;
    const isSent = sendMessage(chat, content, optionsOf(chat, place, question));
    flying.current = content;
    field.current?.setText("");
    draft.flush();
    ask(UNCHANGED);
    setRefusal(undefined);
    const why = await isSent.then(() => undefined, refusalOf);
    flying.current = undefined;
    if (why !== undefined) putBack(content, question, why);
    else if (isThere.current) taken();
    else draft.takeAway(content);
  }

  /** The outbox has it; the box holds what was written since. */
  function taken(): void {
    const { field, draft } = latest.current;
    draft.save(field.current?.text() ?? "");
    draft.flush();
    if (isWanted.current) send();
  }

  /** The outbox has refused it; if the box is gone, its draft holds the text. */
  function putBack(content: string, question: Question, why: string): void {
    const { field, ask } = latest.current;
    isWanted.current = false;
    chat.ui.getState().announce(why, "assertive");
    if (!isThere.current) return;
    field.current?.setText(joined(content, field.current.text()));
    ask(question);
    setRefusal(why);
  }

  return {
    send,
    refusal,
    forgetRefusal: () => setRefusal(undefined),
    flying: () => flying.current ?? "",
  };
}

/** Whatever goes wrong comes as a rejection. */
async function sendMessage(chat: Chat, content: string, options: SendOptions): Promise<void> {
  await chat.store.getState().sendMessage(content, options);
}

function optionsOf(chat: Chat, { room, threadId }: ComposerPlace, question: Question): SendOptions {
  const { rooms } = chat.store.getState();
  const database = rooms.find(({ connectionId }) => connectionId === room)?.database;
  const context = contextOf(question, database);
  return {
    room,
    ...(threadId === undefined ? {} : { threadId }),
    ...(context === undefined ? {} : { context }),
  };
}
