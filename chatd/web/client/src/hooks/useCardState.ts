/** How a card is shown; it is remembered while the card is scrolled out of sight. */
import { useCallback, useState } from "react";
import { cardStatesOf, type CardState } from "../answers/cardStates";
import { useChat } from "./useChat";

/** The state of an answer's card, and how to change a part of it. */
export function useCardState(answerId: string): [CardState, (change: CardState) => void] {
  const states = cardStatesOf(useChat());
  const [state, setState] = useState(() => states.get(answerId));
  const change = useCallback(
    (part: CardState) => {
      const next = { ...states.get(answerId), ...part };
      states.set(answerId, next);
      setState(next);
    },
    [states, answerId],
  );
  return [state, change];
}
