import { useShallow } from "zustand/react/shallow";
import { useStore } from "zustand";
import { useChat } from "../hooks/useChat";
import type { PresenceStatus } from "../websocket/types";

export interface Person {
  userId: string;
  name: string;
  status: PresenceStatus;
}

/** Who is in the open room, by name. */
export function usePeople(): readonly Person[] {
  const store = useChat().store;
  const [presence, names] = useStore(
    store,
    useShallow((state) => [state.presence, state.names]),
  );
  return [...presence]
    .filter(([, status]) => status !== "offline")
    .map(([userId, status]) => ({ userId, status, name: names.get(userId) ?? userId }))
    .toSorted((one, other) => one.name.localeCompare(other.name));
}

/** Who is here now, with a dot for how present they are. */
export function People() {
  const people = usePeople();
  return (
    <ul className="people">
      {people.map((person) => (
        <li key={person.userId} title={person.userId}>
          <span className="dot" data-status={person.status} aria-hidden="true" />
          {person.name}
          <span className="soft">{person.status === "away" ? " (away)" : ""}</span>
        </li>
      ))}
    </ul>
  );
}

/** The same, in the panel. */
export function PeoplePanel() {
  const people = usePeople();
  if (people.length === 0) return <p className="soft">Nobody is here now.</p>;
  return <People />;
}
