import { useCallback, useRef, type RefObject } from "react";
import type { Field } from "../composer/field";
import { begin, newer, older, ownTexts, recalled, type Recall } from "../composer/recall";
import type { ChatState } from "../stores/state";
import { useChat } from "./useChat";

export interface Recalling {
  /** Whether the box holds a recalled message, untouched, with the cursor at its end. */
  isOn(): boolean;
  older(): void;
  newer(): void;
  /** Put back what stood in the box before. */
  restore(): void;
  /** Take one that was searched for. */
  take(text: string): void;
  /** The user's own messages of the room, newest first. */
  texts(): string[];
}

/** The user's own earlier messages, by arrow up and down in the box. */
export function useRecall(field: RefObject<Field | null>, room: string): Recalling {
  const { store } = useChat();
  const recall = useRef<Recall | undefined>(undefined);

  const texts = useCallback(() => textsOf(store.getState(), room), [room, store]);

  function show(next: Recall | undefined): void {
    const before = recall.current?.before ?? "";
    recall.current = next;
    field.current?.setText(next === undefined ? before : recalled(next));
  }

  return {
    isOn() {
      if (recall.current === undefined) return false;
      const text = field.current?.text() ?? "";
      const at = field.current?.selection();
      return text === recalled(recall.current) && at?.from === text.length && at.to === text.length;
    },
    older() {
      const isGoingOn = this.isOn() && recall.current !== undefined;
      const next = isGoingOn
        ? older(recall.current as Recall)
        : begin(texts(), field.current?.text() ?? "");
      if (next !== undefined) show(next);
    },
    newer() {
      if (recall.current !== undefined) show(newer(recall.current));
    },
    restore: () => show(undefined),
    take(text) {
      const before = field.current?.text() ?? "";
      show({ texts: [text], at: 0, before });
    },
    texts,
  };
}

function textsOf(state: ChatState, room: string): string[] {
  const inRoom = state.views.get(room)?.ids ?? [];
  const inThread = state.room === room ? (state.thread?.ids ?? []) : [];
  const ids = new Set([...inThread, ...inRoom]);
  const messages = [...ids].map((id) => state.messages.get(id));
  return ownTexts(messages.toSorted(byTime), state.me?.userId);
}

function byTime(
  one: { timestamp: number } | undefined,
  other: { timestamp: number } | undefined,
): number {
  return (one?.timestamp ?? 0) - (other?.timestamp ?? 0);
}
