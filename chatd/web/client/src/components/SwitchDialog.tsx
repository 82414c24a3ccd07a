import { isComposed } from "../hooks/useKeyDown";
import { useId, useState, type KeyboardEvent } from "react";
import { useChatStore, useUi } from "../hooks/useChat";
import { TOUCH, useMedia } from "../hooks/useMedia";
import { bestMatches } from "./matching";
import { ModalDialog } from "./ModalDialog";

interface Destination {
  key: string;
  name: string;
  detail: string;
  go(): void;
}

/** Ctrl+K: go to a room, or do something, by a few letters of its name. */
export function SwitchDialog() {
  const close = useUi((state) => state.closeDialog);
  const destinations = useDestinations();
  const [typed, setTyped] = useState("");
  const [chosen, setChosen] = useState(0);
  const list = useId();
  const found = bestMatches(typed, destinations, (one) => one.name);
  const at = Math.min(chosen, Math.max(0, found.length - 1));

  function go(destination: Destination | undefined) {
    if (destination === undefined) return;
    close();
    destination.go();
  }

  function onKeyDown(event: KeyboardEvent) {
    if (isComposed(event.nativeEvent)) return;
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step !== undefined && found.length > 0) {
      event.preventDefault();
      setChosen((at + step + found.length) % found.length);
    } else if (event.key === "Enter") {
      event.preventDefault();
      go(found[at]);
    }
  }

  return (
    <ModalDialog title="Go to" className="switch-dialog" close={close}>
      <input
        data-focus-first=""
        type="text"
        role="combobox"
        aria-label="A room or a command"
        aria-expanded="true"
        aria-controls={list}
        aria-activedescendant={found.length > 0 ? `${list}-${at}` : undefined}
        placeholder="A room or a command"
        autoComplete="off"
        value={typed}
        onChange={(event) => {
          setTyped(event.target.value);
          setChosen(0);
        }}
        onKeyDown={onKeyDown}
      />
      <ul className="switch-list" id={list} role="listbox" aria-label="What matches">
        {found.map((one, index) => (
          // The input hears the keys, and says which option is chosen.
          // oxlint-disable-next-line jsx-a11y/click-events-have-key-events
          <li
            key={one.key}
            id={`${list}-${index}`}
            role="option"
            tabIndex={-1}
            aria-selected={index === at}
            onClick={() => go(one)}
          >
            {one.name} <span className="soft">{one.detail}</span>
          </li>
        ))}
      </ul>
      {found.length === 0 && <p className="soft">Nothing has this name.</p>}
    </ModalDialog>
  );
}

function useDestinations(): readonly Destination[] {
  const rooms = useChatStore((state) => state.rooms);
  const openRoom = useChatStore((state) => state.openRoom);
  const openPanel = useUi((state) => state.openPanel);
  const openDialog = useUi((state) => state.openDialog);
  const isTouch = useMedia(TOUCH);
  return [
    ...rooms.map((room) => ({
      key: `room ${room.connectionId}`,
      name: room.title ?? room.connectionId,
      detail: room.unread > 0 ? `room, ${room.unread} unread` : "room",
      go: () => void openRoom(room.connectionId),
    })),
    {
      key: "search",
      name: "Search messages",
      detail: isTouch ? "panel" : "Ctrl+Shift+F",
      go: () => openPanel({ kind: "search" }),
    },
    { key: "tables", name: "Tables", detail: "panel", go: () => openPanel({ kind: "schema" }) },
    {
      key: "people",
      name: "People here",
      detail: "panel",
      go: () => openPanel({ kind: "people" }),
    },
    ...(isTouch ? [] : [{ key: "keys", name: "Keys", detail: "?", go: () => openDialog("keys") }]),
    {
      key: "connection",
      name: "Connection and log",
      detail: "panel",
      go: () => openPanel({ kind: "connection" }),
    },
  ];
}
