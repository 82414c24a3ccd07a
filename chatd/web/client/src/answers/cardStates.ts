/**
 * How cards are shown: sorted, as a chart, as their statement. A card that is scrolled out of sight
 * is taken off the page; it comes back as it was, and as high as it was.
 */
import type { ChartChoice } from "./chartable";
import type { Sort } from "./sorting";

export type CardTab = "table" | "chart" | "statement";

export interface CardState {
  tab?: CardTab;
  sort?: Sort | undefined;
  chart?: ChartChoice;
}

/** How many cards are remembered; the one that was not changed for longest is forgotten. */
const CARDS_MAX = 500;

export class CardStates {
  readonly #states = new Map<string, CardState>();

  get(answerId: string): CardState {
    return this.#states.get(answerId) ?? {};
  }

  set(answerId: string, state: CardState): void {
    this.#states.delete(answerId);
    this.#states.set(answerId, state);
    if (this.#states.size <= CARDS_MAX) return;
    const [oldest] = this.#states.keys();
    if (oldest !== undefined) this.#states.delete(oldest);
  }
}

// By chat, so that two chats on a page share nothing, and the states go with their chat.
const STATES = new WeakMap<object, CardStates>();

/** The states of a chat's cards. */
export function cardStatesOf(chat: object): CardStates {
  const states = STATES.get(chat) ?? new CardStates();
  STATES.set(chat, states);
  return states;
}
