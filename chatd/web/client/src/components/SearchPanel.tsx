import {
  useEffect,
  useRef,
  useState,
  type FormEvent,
  type KeyboardEvent,
  type RefObject,
} from "react";
import { counted } from "../format";
import { useChat, useChatStore } from "../hooks/useChat";
import { MEDIUM, NARROW, useMedia } from "../hooks/useMedia";
import type { SearchView } from "../stores/state";
import type { FoundMessage } from "../websocket/types";
import { SearchHit } from "./SearchHit";

/** The search, in the panel. What was found stays while the user looks at the hits. */
export function SearchPanel() {
  const room = useChatStore((state) => state.room);
  const search = useChatStore((state) => state.search);
  const runSearch = useChatStore((state) => state.runSearch);
  const title = useChatStore(
    (state) => state.rooms.find((one) => one.connectionId === room)?.title ?? room,
  );
  const [query, setQuery] = useState(search?.query ?? "");
  const [isEverywhere, setEverywhere] = useState(
    room === "" || (search !== undefined && search.connectionId === undefined),
  );
  const isNarrow = useMedia(NARROW);
  const input = useRef<HTMLInputElement>(null);
  const list = useRef<HTMLUListElement>(null);
  useEffect(() => input.current?.select(), []);

  function run(everywhere: boolean, more = false) {
    const wanted = more ? (search?.query ?? query) : query.trim();
    if (wanted === "") return;
    void runSearch(wanted, { ...(everywhere ? {} : { room }), ...(more ? { more } : {}) });
  }

  function submit(event: FormEvent) {
    event.preventDefault();
    run(isEverywhere);
  }

  function look(everywhere: boolean) {
    setEverywhere(everywhere);
    if (search !== undefined) run(everywhere);
  }

  return (
    <div className="search">
      <form role="search" className="search-form" onSubmit={submit}>
        <div className="search-row">
          <input
            ref={input}
            type="search"
            data-focus-first
            aria-label="Search for"
            aria-describedby="search-syntax"
            placeholder={isNarrow ? "Search messages" : "Search messages and answers"}
            value={query}
            onChange={(event) => setQuery(event.target.value)}
            onKeyDown={(event) => {
              if (event.key === "ArrowDown" && focusHit(list.current, 0)) event.preventDefault();
            }}
          />
          <button type="submit" className="primary">
            Search
          </button>
        </div>
        <div className="search-scope" role="radiogroup" aria-label="Where to search">
          <Scope isChosen={!isEverywhere} choose={() => look(false)} words={`In ${title}`} />
          <Scope isChosen={isEverywhere} choose={() => look(true)} words="In all rooms" />
        </div>
        <p id="search-syntax" className="soft search-syntax">
          <code>late orders</code> finds both words, <code>&quot;late orders&quot;</code> the words
          side by side, <code>ord*</code> words that begin so, <code>-late</code> leaves a word out.
        </p>
      </form>
      {search !== undefined && (
        <Results search={search} list={list} input={input} more={() => run(isEverywhere, true)} />
      )}
    </div>
  );
}

interface ScopeProps {
  isChosen: boolean;
  words: string;
  choose(): void;
}

function Scope({ isChosen, words, choose }: ScopeProps) {
  return (
    <label>
      <input type="radio" name="search-scope" checked={isChosen} onChange={choose} />
      {words}
    </label>
  );
}

interface ResultsProps {
  search: SearchView;
  list: RefObject<HTMLUListElement | null>;
  input: RefObject<HTMLInputElement | null>;
  more(): void;
}

function Results({ search, list, input, more }: ResultsProps) {
  const open = useOpenHit();
  const rooms = useChatStore((state) => state.rooms);
  const room = useChatStore((state) => state.room);
  function onKeyDown(event: KeyboardEvent<HTMLElement>) {
    const hits = hitsIn(list.current);
    const at = hits.indexOf(document.activeElement as HTMLElement);
    const step = event.key === "ArrowDown" ? 1 : event.key === "ArrowUp" ? -1 : 0;
    if (step === 0 || at < 0) return;
    event.preventDefault();
    if (at + step < 0) input.current?.focus();
    else focusHit(list.current, at + step);
  }
  const titleOf = (id: string) => rooms.find((one) => one.connectionId === id)?.title ?? id;
  return (
    <div className="search-results" aria-busy={search.isLoading}>
      <p className={search.failure === undefined ? "soft" : "bad"} role="status">
        {outcomeOf(search)}
      </p>
      {search.incomplete && (
        <p className="soft">
          The server is still reading older messages; what they hold is not found yet.
        </p>
      )}
      {/* The hits are buttons; the list moves the focus among them. */}
      {/* oxlint-disable-next-line jsx-a11y/no-noninteractive-element-interactions */}
      <ul ref={list} className="search-hits" onKeyDown={onKeyDown}>
        {search.hits.map((hit) => (
          <li key={hit.message.messageId}>
            <SearchHit
              hit={hit}
              roomTitle={
                search.connectionId === room ? undefined : titleOf(hit.message.connectionId)
              }
              open={() => void open(hit)}
            />
          </li>
        ))}
      </ul>
      {search.cursor !== undefined && (
        <button type="button" className="plain" disabled={search.isLoading} onClick={more}>
          Show more
        </button>
      )}
    </div>
  );
}

function outcomeOf({ failure, hits, isLoading, cursor }: SearchView): string {
  if (failure !== undefined) return failure;
  if (isLoading && hits.length === 0) return "Searching…";
  if (hits.length === 0)
    return "Nothing was found. Try fewer words, or the beginning of one with *.";
  const found = counted(hits.length, "message");
  return cursor === undefined ? `${found} found.` : `The best ${found}; there are more.`;
}

/** Show a hit with the messages around it. */
function useOpenHit(): (hit: FoundMessage) => Promise<void> {
  const chat = useChat();
  return async ({ message }) => {
    const { connectionId, messageId, seq } = message;
    await chat.store.getState().openRoom(connectionId, { messageId, seq });
    const isShown = chat.store.getState().target?.messageId === messageId;
    // If the panel lies over the messages, it gives way to what was found.
    if (isShown && window.matchMedia(MEDIUM).matches) chat.ui.getState().closePanel();
  };
}

function hitsIn(list: HTMLElement | null): HTMLElement[] {
  return [...(list?.querySelectorAll<HTMLElement>(".search-hit") ?? [])];
}

/** Give the focus to a hit; returns whether there is one. */
function focusHit(list: HTMLElement | null, at: number): boolean {
  const hit = hitsIn(list)[at];
  hit?.focus();
  return hit !== undefined;
}
