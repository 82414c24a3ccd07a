import { useContext, useEffect, useRef, useState } from "react";
import { MintsTokens, useChatStore, useIsViewer } from "../hooks/useChat";
import { TOUCH, useMedia } from "../hooks/useMedia";
import { dialectOf, writtenTable, type Dialect } from "../composer/names";
import { looksLikeSql } from "../sql";
import type { SchemaTable } from "../websocket/types";
import type { RoomDatabase } from "../websocket/wire.gen";
import { Sql } from "./Sql";

const SHOP_QUESTIONS = [
  "/tables",
  "SELECT status, count(*) AS orders FROM orders GROUP BY status",
  "/sample customers",
] as const;

/** Stands in place of messages while there are none: what can be done here. */
export function EmptyRoom({ room }: { room: string }) {
  const found = useChatStore((state) => state.rooms.find((one) => one.connectionId === room));
  const isViewer = useIsViewer(room);
  if (found === undefined) return <NoRoom />;
  const { database } = found;
  if (isViewer || database === undefined) {
    return (
      <div className="message-empty">
        <h2>Nobody has written here yet.</h2>
        <p>{isViewer ? viewerWords(database !== undefined) : EVERYBODY}</p>
      </div>
    );
  }
  return <EmptyDatabaseRoom room={room} title={found.title ?? room} database={database} />;
}

const EVERYBODY = "Everybody in this room sees what you write.";

function viewerWords(hasDatabase: boolean): string {
  return hasDatabase
    ? "Here you see what the members of this room ask its database, and what it answers."
    : "Here you see what the members of this room write.";
}

function NoRoom() {
  const isConnected = useChatStore((state) => state.isConnected);
  const hasRooms = useChatStore((state) => state.rooms.length > 0);
  const mints = useContext(MintsTokens);
  const retryNow = useChatStore((state) => state.retryNow);
  const isTouch = useMedia(TOUCH);
  if (!isConnected && !hasRooms) return null;
  return (
    <div className="message-empty">
      <h2>{hasRooms ? "No room is open." : "You have no room yet."}</h2>
      <p>
        {hasRooms
          ? `Choose a room in the list${isTouch ? "" : ", or press Ctrl+K"}.`
          : `Ask whoever runs this server for one: in its directory of rooms, or in ${mints ? "a token made with “chatd token mint --room”" : "the token that your organisation’s sign-in gives you"}.`}
      </p>
      {!hasRooms && (
        <button type="button" onClick={retryNow}>
          Look again
        </button>
      )}
    </div>
  );
}

interface EmptyDatabaseRoomProps {
  room: string;
  title: string;
  database: RoomDatabase;
}

function EmptyDatabaseRoom({ room, title, database }: EmptyDatabaseRoomProps) {
  const send = useChatStore((state) => state.sendMessage);
  const notify = useChatStore((state) => state.notify);
  const questions = useQuestions(room, database);
  async function ask(question: string) {
    try {
      await send(question, { room });
    } catch {
      notify({ kind: "error", text: "This could not be kept for sending.", kept: question });
    }
  }
  return (
    <div className="message-empty">
      <h2>Ask {title}</h2>
      <p>
        The database answers SQL and commands that you write here. Everybody in the room sees the
        questions and the answers{database.readOnly ? ", and nothing can be changed" : ""}.
      </p>
      <ul className="message-questions">
        {questions.map((question) => (
          <li key={question}>
            <button type="button" className="plain" onClick={() => void ask(question)}>
              {looksLikeSql(question) ? <Sql text={question} /> : <code>{question}</code>}
            </button>
          </li>
        ))}
      </ul>
    </div>
  );
}

/** How soon tables that could not be read are asked for again; longer each time. Unit: ms. */
const AGAIN_MS = 3_000;
const AGAIN_MAX_MS = 60_000;

/**
 * Questions that work here: those about the sample shop if its tables are there, else about the
 * first tables that are. The tables decide that once they are known; what was shown before stays
 * where it is.
 */
function useQuestions(room: string, database: RoomDatabase): readonly string[] {
  const canReadSchema = useChatStore((state) => state.can("schema"));
  const loadSchema = useChatStore((state) => state.loadSchema);
  const schema = useChatStore((state) => state.schemas.get(room));
  const [isRead, setRead] = useState(!canReadSchema);
  const tries = useRef(0);
  useEffect(() => {
    let isGone = false;
    const read = canReadSchema ? loadSchema(room) : Promise.resolve();
    void read.finally(() => {
      if (!isGone) setRead(true);
    });
    return () => {
      isGone = true;
    };
  }, [canReadSchema, loadSchema, room]);
  // A database that is still starting fails at first, and its tables come a little later.
  useEffect(() => {
    if (schema?.failure === undefined) return undefined;
    const pause = Math.min(AGAIN_MS * 2 ** tries.current, AGAIN_MAX_MS);
    tries.current += 1;
    const timer = setTimeout(() => void loadSchema(room), pause);
    return () => clearTimeout(timer);
  }, [schema, loadSchema, room]);
  return questionsFor(schema?.tables, isRead, dialectOf(database)).filter((question) =>
    isKnown(question, database.commands),
  );
}

function questionsFor(
  tables: readonly SchemaTable[] | undefined,
  isRead: boolean,
  dialect: Dialect,
): readonly string[] {
  if (tables === undefined) return isRead ? ["/tables", "/help"] : ["/tables"];
  if (isShop(tables)) return SHOP_QUESTIONS;
  const [first, second = first] = tables.map((table) => writtenTable(table, dialect));
  if (first === undefined) return ["/tables", "/help"];
  return ["/tables", `SELECT * FROM ${first} LIMIT 10`, `SELECT count(*) FROM ${second}`, "/help"];
}

function isKnown(question: string, commands: readonly string[]): boolean {
  return !question.startsWith("/") || commands.includes(question.split(" ")[0] ?? "");
}

function isShop(tables: readonly SchemaTable[]): boolean {
  const orders = tables.find((table) => table.name === "orders");
  const hasStatus = orders?.columns.some((column) => column.name === "status") === true;
  return hasStatus && tables.some((table) => table.name === "customers");
}
