import { useEffect, useRef, useState } from "react";
import { useKeyDown } from "../hooks/useKeyDown";
import type { MessageActions } from "../hooks/useMessageActions";
import { ConfirmButton } from "./ConfirmButton";
import { MessageIcon, type MessageIconName } from "./MessageIcon";
import { ReactionPicker } from "./ReactionPicker";

interface MessageToolbarProps {
  actions: MessageActions;
  isInThread: boolean;
  /** Give the focus back to the message. */
  left(): void;
}

/** What can be done with a message: shown beside it while the mouse or the focus is there. */
export function MessageToolbar({ actions, isInThread, left }: MessageToolbarProps) {
  const toolbar = useRef<HTMLDivElement>(null);
  useKeyDown(toolbar, (event) => {
    if (event.key === "Escape") left();
    else if (event.key === "ArrowRight") focusNext(toolbar.current, 1);
    else if (event.key === "ArrowLeft") focusNext(toolbar.current, -1);
    else return false;
    return true;
  });
  return (
    <div className="message-tools">
      <div className="message-toolbar" role="toolbar" aria-label="Actions" ref={toolbar}>
        {actions.canReact && <ReactionPicker react={(emoji) => actions.react(emoji, true)} />}
        {actions.canReply && (
          <ToolButton
            icon="reply"
            label={isInThread ? "Open the thread" : "Reply in a thread"}
            act={actions.reply}
          />
        )}
        {actions.hasText && <CopyButton icon="copy" label="Copy message" copy={actions.copy} />}
        {actions.hasLink && <CopyButton icon="link" label="Copy link" copy={actions.copyLink} />}
        {actions.canEdit && <ToolButton icon="edit" label="Edit" act={actions.edit} />}
        {actions.canDelete && (
          <ConfirmButton
            label="Delete"
            question="Delete this message?"
            confirmed={() => {
              left();
              actions.delete();
            }}
          >
            <MessageIcon name="delete" />
          </ConfirmButton>
        )}
      </div>
    </div>
  );
}

const TOOL = ":scope > button, .confirm button";

function focusNext(toolbar: HTMLElement | null, step: 1 | -1): void {
  const buttons = [...(toolbar?.querySelectorAll<HTMLElement>(TOOL) ?? [])];
  const at = buttons.indexOf(document.activeElement as HTMLElement);
  buttons[(at + step + buttons.length) % buttons.length]?.focus();
}

interface ToolButtonProps {
  icon: MessageIconName;
  label: string;
  act(): void;
}

function ToolButton({ icon, label, act }: ToolButtonProps) {
  return (
    <button type="button" aria-label={label} title={label} onClick={act}>
      <MessageIcon name={icon} />
    </button>
  );
}

/** How long a button says that it has copied. Unit: ms. */
const SAID_MS = 1_500;

interface CopyButtonProps extends Omit<ToolButtonProps, "act"> {
  copy(): Promise<boolean>;
}

function CopyButton({ icon, label, copy }: CopyButtonProps) {
  const [isDone, setDone] = useState(false);
  const timer = useRef<ReturnType<typeof setTimeout> | undefined>(undefined);
  useEffect(() => () => clearTimeout(timer.current), []);
  async function act() {
    if (!(await copy())) return;
    setDone(true);
    clearTimeout(timer.current);
    timer.current = setTimeout(() => setDone(false), SAID_MS);
  }
  return <ToolButton icon={isDone ? "done" : icon} label={isDone ? "Copied" : label} act={act} />;
}
