import { useCallback, useEffect, useRef, useState, type RefObject } from "react";
import { commandsOf } from "../composer/commands";
import { completionAt, takesEnter } from "../composer/completion";
import { sqlAround } from "../composer/draftedSql";
import type { Change, Field } from "../composer/field";
import { dialectOf } from "../composer/names";
import type { Completion, Place, Sources, SqlCompleter } from "../composer/options";
import { peopleOf } from "../composer/people";
import type { ChatState } from "../stores/state";
import { useChat, useChatStore } from "./useChat";

/** How long after a request a schema that did not come is requested again. Unit: ms. */
const SCHEMA_AGAIN_MS = 3_000;

export interface OpenCompletion extends Completion {
  picked: number;
  takesEnter: boolean;
}

export interface Completing {
  open: OpenCompletion | undefined;
  changed(change: Change): void;
  /** Something other than typing has moved the cursor. */
  moved(): void;
  /** Show what fits, though nothing was typed. */
  ask(): void;
  step(by: 1 | -1): void;
  accept(at?: number): void;
  close(): void;
  /** Close the list, and keep it closed for the word that is being written. */
  dismiss(): void;
}

interface Open {
  place: Place;
  completion: Completion;
  picked: number;
  isMoved: boolean;
}

/** The completion of what the user writes in a room's box. */
export function useCompletion(field: RefObject<Field | null>, room: string): Completing {
  const chat = useChat();
  const [open, setOpen] = useState<Open | undefined>(undefined);
  const last = useRef<Place | undefined>(undefined);
  /** Where the word begins whose list was closed: it stays closed for that word. */
  const closedAt = useRef<number | undefined>(undefined);

  const readAt = useRef(-Infinity);
  const [sql, loadSql] = useSqlCompleter();

  const show = useCallback(
    (place: Place) => {
      const state = chat.store.getState();
      const needsTables = needsSql(state, room, place);
      if (needsTables) loadSql();
      if (needsTables && isDue(readAt.current) && state.can("schema")) {
        readAt.current = performance.now();
        // If it fails there is nothing to complete; the panel of tables says why.
        void state.loadSchema(room);
      }
      const completion = completionAt(place, sourcesOf(state, room, place, sql));
      last.current = place;
      if (completion?.from !== closedAt.current || place.isAsked) closedAt.current = undefined;
      const isShown = completion !== undefined && closedAt.current === undefined;
      setOpen((now) => (isShown ? opened(place, completion, now) : undefined));
    },
    [chat, loadSql, room, sql],
  );

  const close = useCallback(() => {
    last.current = undefined;
    setOpen(undefined);
  }, []);

  // What came meanwhile belongs to the list that is open, or waits to be.
  const schema = useChatStore((state) => state.schemas.get(room));
  useEffect(() => {
    if ((schema !== undefined || sql !== undefined) && last.current !== undefined)
      show(last.current);
  }, [schema, show, sql]);

  // A database that is still starting fails at first: while a list is wanted, ask again.
  useEffect(() => {
    if (schema?.failure === undefined) return undefined;
    const timer = setTimeout(() => {
      if (last.current !== undefined) show(last.current);
    }, SCHEMA_AGAIN_MS);
    return () => clearTimeout(timer);
  }, [schema, show]);

  function changed({ text, cursor, isTyped }: Change): void {
    if (!isTyped || cursor === undefined) close();
    else show({ text, cursor, isAsked: isStillAsked(open, text, cursor) });
  }

  function moved(): void {
    const { from, to } = field.current?.selection() ?? { from: 0, to: 0 };
    if (last.current === undefined || (from === to && from === last.current.cursor)) return;
    close();
  }

  function ask(): void {
    const { from, to } = field.current?.selection() ?? { from: 0, to: 0 };
    if (from === to) show({ text: field.current?.text() ?? "", cursor: from, isAsked: true });
  }

  function step(by: 1 | -1): void {
    setOpen((now) => {
      if (now === undefined) return undefined;
      const count = now.completion.options.length;
      return { ...now, picked: (now.picked + by + count) % count, isMoved: true };
    });
  }

  function accept(at = open?.picked ?? 0): void {
    const option = open?.completion.options[at];
    if (open === undefined || option === undefined) return;
    close();
    const { from, to } = open.completion;
    field.current?.replace(from, to, option.insert);
    field.current?.focus();
    // What follows can be completed at once: a command's table, or a schema's tables.
    if (option.kind !== "command" && option.kind !== "schema") return;
    const cursor = from + option.insert.length;
    show({ text: field.current?.text() ?? "", cursor, isAsked: false });
  }

  function dismiss(): void {
    closedAt.current = open?.completion.from;
    close();
  }

  return { open: shownOf(open), changed, moved, ask, step, accept, close, dismiss };
}

function shownOf(open: Open | undefined): OpenCompletion | undefined {
  if (open === undefined) return undefined;
  const { completion, picked, isMoved, place } = open;
  const isChosen = isMoved || place.isAsked;
  return { ...completion, picked, takesEnter: takesEnter(completion, picked, isChosen) };
}

/** A list that was asked for stays so while its word is written. */
function isStillAsked(open: Open | undefined, text: string, cursor: number): boolean {
  if (open?.place.isAsked !== true) return false;
  return /^["`[]?[\p{L}\p{N}_$]+$/u.test(text.slice(open.completion.from, cursor));
}

/**
 * Loads the part that knows SQL, once it is of use; if it cannot be loaded, SQL is not completed.
 */
function useSqlCompleter(): [SqlCompleter | undefined, () => void] {
  const [sql, setSql] = useState<SqlCompleter>();
  const load = useCallback(() => {
    import("../composer/sqlCompletion").then(setSql, () => {});
  }, []);
  return [sql, load];
}

/** A list at the same place keeps what was picked by arrows. */
function opened(place: Place, completion: Completion, now: Open | undefined): Open {
  const isSame = now?.isMoved === true && now.place.text === place.text;
  const label = isSame ? now.completion.options[now.picked]?.label : undefined;
  const kept = completion.options.findIndex((option) => option.label === label);
  return { place, completion, picked: Math.max(0, kept), isMoved: kept >= 0 };
}

function isDue(readAt: number): boolean {
  return performance.now() - readAt >= SCHEMA_AGAIN_MS;
}

/** Whether tables may be completed at a place, and so have to be known, and fresh. */
function needsSql(state: ChatState, room: string, { text, cursor }: Place): boolean {
  if (databaseOf(state, room) === undefined) return false;
  return text.trimStart().startsWith("/") || sqlAround(text, cursor) !== undefined;
}

function sourcesOf(
  state: ChatState,
  room: string,
  { text }: Place,
  sql: SqlCompleter | undefined,
): Sources {
  const database = databaseOf(state, room);
  return {
    commands: commandsOf(state.server, database),
    tables: state.schemas.get(room)?.tables ?? [],
    dialect: dialectOf(database),
    people: text.includes("@") && state.can("mentions") ? peopleOf(state, room) : [],
    hasDatabase: database !== undefined,
    sql,
  };
}

function databaseOf(state: ChatState, room: string) {
  return state.rooms.find(({ connectionId }) => connectionId === room)?.database;
}
