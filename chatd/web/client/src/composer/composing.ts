/** What the composers of a chat have beside their text, for other components that add to it. */
import { createStore } from "zustand/vanilla";
import { perChat } from "./perChat";
import { UNCHANGED, type Question } from "./question";

/** Names a composer: of a room, or of a thread in it. */
export interface ComposerPlace {
  room: string;
  threadId?: string | undefined;
}

export interface ComposingState {
  /** How the next message of each composer is to be asked, if the user has said so. */
  readonly questions: ReadonlyMap<string, Question>;
  /**
   * The thread whose composer had the focus last; undefined for a room's. That composer takes text
   * that comes from elsewhere.
   */
  readonly threadId: string | undefined;
  questionOf(place: ComposerPlace): Question;
  ask(place: ComposerPlace, question: Question): void;
  focused(threadId: string | undefined): void;
}

/** The composing of a chat. A question is kept as long as its composer is there. */
export const composingOf = perChat(() =>
  createStore<ComposingState>()((set, get) => ({
    questions: new Map(),
    threadId: undefined,
    questionOf: (place) => get().questions.get(keyOf(place)) ?? UNCHANGED,
    ask(place, question) {
      const questions = new Map(get().questions);
      if (question === UNCHANGED) questions.delete(keyOf(place));
      else questions.set(keyOf(place), question);
      set({ questions });
    },
    focused: (threadId) => set({ threadId }),
  })),
);

function keyOf({ room, threadId }: ComposerPlace): string {
  return JSON.stringify([room, threadId ?? null]);
}
