import { useChatStore, useUi } from "../hooks/useChat";
import type { Phase } from "../websocket/types";
import { counted } from "../format";
import { Icon } from "./Icon";
import { usePeople } from "./People";

/** The name of the room, the state of the connection, and what can be opened beside it. */
export function RoomHeader({ room, isNarrow }: { room: string; isNarrow: boolean }) {
  const title = useChatStore(
    (state) => state.rooms.find((one) => one.connectionId === room)?.title ?? room,
  );
  const hasDatabase = useChatStore(
    (state) => state.rooms.find((one) => one.connectionId === room)?.database !== undefined,
  );
  const canSchema = useChatStore((state) => state.can("schema"));
  const openPanel = useUi((state) => state.openPanel);
  const openDialog = useUi((state) => state.openDialog);
  const here = usePeople().length;
  const Title = isNarrow ? "h1" : "h2";
  return (
    <header className="room-header">
      {isNarrow && (
        <button type="button" aria-label="Rooms" onClick={() => openDialog("rooms")}>
          <Icon name="menu" />
        </button>
      )}
      <Title className="room-title">
        <span aria-hidden="true"># </span>
        {title}
      </Title>
      <ConnectionDot />
      <button
        type="button"
        className="room-people soft"
        aria-label={`${counted(here, "person", "people")} here`}
        onClick={() => openPanel({ kind: "people" })}
      >
        <Icon name="people" />
        {here}
      </button>
      {hasDatabase && canSchema && (
        <button
          type="button"
          aria-label="Tables of this database"
          title="Tables of this database"
          onClick={() => openPanel({ kind: "schema" })}
        >
          <Icon name="table" />
          <span className="room-word">Tables</span>
        </button>
      )}
      <button
        type="button"
        aria-label="Search messages"
        title="Search messages"
        onClick={() => openPanel({ kind: "search" })}
      >
        <Icon name="search" />
        <span className="room-word">Search</span>
      </button>
    </header>
  );
}

const DOT_WORDS: Record<Phase, string> = {
  idle: "not connected",
  connecting: "connecting",
  connected: "connected",
  reconnecting: "reconnecting",
  offline: "offline",
  signedOut: "signed out",
};

/** The state of the connection as a dot: a restart of the server shows only here. */
function ConnectionDot() {
  const phase = useChatStore((state) => state.connection.phase);
  const isDraining = useChatStore((state) => state.connection.isDraining === true);
  const words = isDraining ? "the server is restarting" : DOT_WORDS[phase];
  return (
    <span className="dot" data-phase={isDraining ? "reconnecting" : phase} title={words}>
      <span className="sr">{words}</span>
    </span>
  );
}
