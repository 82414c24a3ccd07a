import { useChatStore } from "../hooks/useChat";
import type { MessageActions } from "../hooks/useMessageActions";
import type { Reaction } from "../websocket/types";
import { ReactionPicker } from "./ReactionPicker";

/** So many names are given; the rest are counted. */
const NAMED_MAX = 8;

interface ReactionsProps {
  reactions: readonly Reaction[];
  actions: MessageActions;
}

/** The reactions to a message. A click adds the user to one, or takes the user’s own away. */
export function Reactions({ reactions, actions }: ReactionsProps) {
  return (
    <div className="message-reactions">
      {reactions.map((reaction) => (
        <ReactionButton key={reaction.emoji} reaction={reaction} actions={actions} />
      ))}
      {actions.canReact && <ReactionPicker react={(emoji) => actions.react(emoji, true)} />}
    </div>
  );
}

function ReactionButton({ reaction, actions }: { reaction: Reaction; actions: MessageActions }) {
  const me = useChatStore((state) => state.me?.userId);
  const names = useChatStore((state) => state.names);
  const isMine = me !== undefined && reaction.users.includes(me);
  const who = whoReacted(reaction.users, me, names);
  return (
    <button
      type="button"
      className="reaction"
      aria-pressed={isMine}
      title={who}
      disabled={!actions.canReact}
      onClick={() => actions.react(reaction.emoji, !isMine)}
    >
      <span>{reaction.emoji}</span>
      <span className="reaction-count">{reaction.users.length}</span>
      <span className="sr">, {who}</span>
    </button>
  );
}

/** @example "you, Bob and 3 others" */
export function whoReacted(
  users: readonly string[],
  me: string | undefined,
  names: ReadonlyMap<string, string>,
): string {
  const named = users
    .toSorted((one, other) => Number(other === me) - Number(one === me))
    .map((user) => (user === me ? "you" : (names.get(user) ?? user)));
  if (named.length > NAMED_MAX) {
    const rest = named.length - NAMED_MAX;
    return `${named.slice(0, NAMED_MAX).join(", ")} and ${rest} ${rest === 1 ? "other" : "others"}`;
  }
  const last = named.pop();
  return named.length === 0 ? (last ?? "") : `${named.join(", ")} and ${last}`;
}
