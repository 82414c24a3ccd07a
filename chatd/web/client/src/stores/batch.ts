/** All changes of one turn of events are one change of the store: each map is copied at most once. */
import type { StoreApi } from "zustand/vanilla";
import type { ChatState } from "./state";

type Maps = {
  [
    K in keyof ChatState as ChatState[K] extends ReadonlyMap<string, unknown> ? K : never
  ]: ChatState[K];
};
type ValueOf<K extends keyof Maps> = Maps[K] extends ReadonlyMap<string, infer V> ? V : never;

/** The state as it will be: read it by `state`, change it by `map` and `set`. */
export class Draft {
  #next: ChatState;
  #changes: Partial<Record<keyof ChatState, unknown>> = {};

  constructor(base: ChatState) {
    this.#next = { ...base };
  }

  /** The state with all changes so far. */
  get state(): ChatState {
    return this.#next;
  }

  /** The draft's own copy of a map, to be changed. */
  map<K extends keyof Maps>(key: K): Map<string, ValueOf<K>> {
    if (!Object.hasOwn(this.#changes, key)) {
      this.set({ [key]: new Map(this.#next[key] as ReadonlyMap<string, ValueOf<K>>) });
    }
    return this.#next[key] as unknown as Map<string, ValueOf<K>>;
  }

  set(changes: Partial<ChatState>): void {
    Object.assign(this.#next, changes);
    Object.assign(this.#changes, changes);
  }

  get changes(): Partial<ChatState> | undefined {
    return Object.keys(this.#changes).length === 0
      ? undefined
      : (this.#changes as Partial<ChatState>);
  }
}

export class Batch {
  #waiting: ((draft: Draft) => void)[] = [];

  constructor(
    private readonly store: StoreApi<ChatState>,
    private readonly failed: (error: unknown) => void,
  ) {}

  /** Change the state at the end of this turn, together with everything else that changes in it. */
  later(change: (draft: Draft) => void): void {
    this.#waiting.push(change);
    if (this.#waiting.length === 1) queueMicrotask(() => this.flush());
  }

  /** Change the state at once, after the changes that wait. */
  now(change: (draft: Draft) => void): void {
    this.#waiting.push(change);
    this.flush();
  }

  flush(): void {
    const changes = this.#waiting;
    if (changes.length === 0) return;
    this.#waiting = [];
    const draft = new Draft(this.store.getState());
    for (const change of changes) {
      try {
        change(draft);
      } catch (error) {
        this.failed(error); // one event that cannot be handled does not stop the others
      }
    }
    if (draft.changes !== undefined) this.store.setState(draft.changes);
  }
}
