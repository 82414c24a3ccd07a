import type { MessageState as State } from "../websocket/types";
import { MessageIcon, type MessageIconName } from "./MessageIcon";

const LOOKS: Partial<Record<State, { icon: MessageIconName; words: string }>> = {
  pending: { icon: "waiting", words: "Waiting to be sent" },
  sending: { icon: "sending", words: "Sending" },
  sent: { icon: "sent", words: "Sent" },
  delivered: { icon: "delivered", words: "Somebody has it" },
  error: { icon: "failed", words: "Not sent" },
};

/** How far a message of the user’s own is. Its place is kept, so that no change moves anything. */
export function MessageState({ status }: { status: State }) {
  const look = LOOKS[status];
  if (look === undefined) return null;
  return (
    <span className={`message-state is-${status}`} title={look.words}>
      <MessageIcon name={look.icon} />
      <span className="sr">{look.words}</span>
    </span>
  );
}
