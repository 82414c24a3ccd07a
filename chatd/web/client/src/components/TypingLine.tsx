import { useShallow } from "zustand/react/shallow";
import { useStore } from "zustand";
import { useChat } from "../hooks/useChat";

/** Who is typing in the room. It always takes its height, so that nothing moves. */
export function TypingLine({ room }: { room: string }) {
  const names = useStore(
    useChat().store,
    useShallow((state) =>
      [...state.typingUsers.values()]
        .filter((user) => user.connectionId === room && user.userId !== state.me?.userId)
        .map((user) => user.name ?? state.names.get(user.userId) ?? user.userId),
    ),
  );
  return <p className="typing soft">{typingWords(names)}</p>;
}

/** @example typingWords(["Ada", "Bob"]) is "Ada and Bob are typing…" */
export function typingWords(names: readonly string[]): string {
  const [first, second] = names;
  if (first === undefined) return "";
  if (second === undefined) return `${first} is typing…`;
  if (names.length === 2) return `${first} and ${second} are typing…`;
  return `${first}, ${second} and ${names.length - 2} more are typing…`;
}
