import { useEffect, useRef, useState } from "react";
import { useChatStore } from "../hooks/useChat";
import { looksLikeSql } from "../sql";
import type { SchemaTable } from "../websocket/types";
import type { RoomDatabase } from "../websocket/wire.gen";
import { Sql } from "./Sql";

const SHOP_QUESTIONS = [
  "/tables",
  "SELECT status, count(*) AS orders FROM orders GROUP BY status",
  "/sample customers",
] as const;
const ANY_QUESTIONS = ["/tables", "/help"] as const;
/** What is asked first anywhere, also while it is not known which tables there are. */
const FIRST_QUESTION = ["/tables"] as const;

/** What stands where no messages are: what can be done here. */
export function EmptyRoom({ room }: { room: string }) {
  const found = useChatStore((state) => state.rooms.find((one) => one.connectionId === room));
  if (found === undefined) return <NoRoom />;
  if (found.database === undefined) {
    return (
      <div className="message-empty">
        <h2>Nobody has written here yet.</h2>
        <p>What you write is seen by everybody who is in this room.</p>
      </div>
    );
  }
  return (
    <EmptyDatabaseRoom
      room={room}
      title={found.title ?? room}
      commands={found.database.commands}
      isReadOnly={found.database.readOnly}
    />
  );
}

function NoRoom() {
  const isConnected = useChatStore((state) => state.isConnected);
  const hasRooms = useChatStore((state) => state.rooms.length > 0);
  if (!isConnected && !hasRooms) return null;
  return (
    <div className="message-empty">
      <h2>{hasRooms ? "No room is open." : "You have no room yet."}</h2>
      <p>
        {hasRooms
          ? "Choose a room in the list, or press Ctrl+K."
          : "Ask who runs this server for one: in its directory of rooms, or in a token made with “chatd token mint --room”."}
      </p>
    </div>
  );
}

interface EmptyDatabaseRoomProps {
  room: string;
  title: string;
  commands: RoomDatabase["commands"];
  isReadOnly: boolean;
}

function EmptyDatabaseRoom({ room, title, commands, isReadOnly }: EmptyDatabaseRoomProps) {
  const send = useChatStore((state) => state.sendMessage);
  const notify = useChatStore((state) => state.notify);
  const questions = useQuestions(room, commands);
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
        SQL and commands that you write here are answered by the database. Everybody in the room
        sees the questions and the answers{isReadOnly ? ", and nothing can be changed" : ""}.
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
 * Questions that work here: those of the sample shop where its tables are, else what is general.
 * Which it is shows with the tables: what stands there before stays where it is.
 */
function useQuestions(room: string, commands: readonly string[]): readonly string[] {
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
  // A database that is being started fails at first, and its tables come a little later.
  useEffect(() => {
    if (schema?.failure === undefined) return undefined;
    const pause = Math.min(AGAIN_MS * 2 ** tries.current, AGAIN_MAX_MS);
    tries.current += 1;
    const timer = setTimeout(() => void loadSchema(room), pause);
    return () => clearTimeout(timer);
  }, [schema, loadSchema, room]);
  return questionsFor(schema?.tables, isRead).filter((question) => isKnown(question, commands));
}

function questionsFor(
  tables: readonly SchemaTable[] | undefined,
  isRead: boolean,
): readonly string[] {
  if (tables === undefined) return isRead ? ANY_QUESTIONS : FIRST_QUESTION;
  return isShop(tables) ? SHOP_QUESTIONS : ANY_QUESTIONS;
}

function isKnown(question: string, commands: readonly string[]): boolean {
  return !question.startsWith("/") || commands.includes(question.split(" ")[0] ?? "");
}

function isShop(tables: readonly SchemaTable[]): boolean {
  const orders = tables.find((table) => table.name === "orders");
  const hasStatus = orders?.columns.some((column) => column.name === "status") === true;
  return hasStatus && tables.some((table) => table.name === "customers");
}
