import { useEffect } from "react";
import { useStore } from "zustand";
import { composingOf, type ComposerPlace } from "../composer/composing";
import { UNCHANGED, type Question } from "../composer/question";
import { useChat } from "./useChat";

/**
 * How the next message is to be asked, and how to change that. It falls back to the default when
 * the composer goes, so that nobody comes back to a forgotten switch.
 */
export function useQuestion(place: ComposerPlace): [Question, (question: Question) => void] {
  const composing = composingOf(useChat());
  const { room, threadId } = place;
  const question = useStore(composing, (state) => state.questionOf({ room, threadId }));
  useEffect(
    () => () => composing.getState().ask({ room, threadId }, UNCHANGED),
    [composing, room, threadId],
  );
  return [question, (next) => composing.getState().ask({ room, threadId }, next)];
}
