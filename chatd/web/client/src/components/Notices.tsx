import { useEffect, useState, type FocusEvent } from "react";
import { useChatStore, useIsViewer, useUi } from "../hooks/useChat";
import { useLatest } from "../hooks/useLatest";
import { isLasting } from "../stores/notices";
import type { Notice } from "../stores/state";
import { Icon } from "./Icon";

/** How long a notice is shown that does not stay. Unit: ms. */
const NOTICE_MS = 12_000;

/** Sentences above the composer, newest last. */
export function Notices() {
  const notices = useChatStore((state) => state.notices);
  const room = useChatStore((state) => state.room);
  const hasBox = !useIsViewer(room) && room !== "";
  return (
    <div className="notices">
      {notices.map((notice) => (
        <NoticeBar key={notice.id} notice={notice} hasBox={hasBox} />
      ))}
    </div>
  );
}

interface NoticeBarProps {
  notice: Notice;
  /** Whether there is a box into which a text can be put back. */
  hasBox: boolean;
}

function NoticeBar({ notice, hasBox }: NoticeBarProps) {
  const { id, kind, text, kept, messageId } = notice;
  const dismiss = useChatStore((state) => state.dismissNotice);
  const discard = useChatStore((state) => state.discardMessage);
  const compose = useUi((state) => state.compose);
  const holding = useHolding();
  useLeaving(isLasting(notice) || holding.isHeld, () => dismiss(id));

  function putBack(content: string) {
    compose(content, "insert");
    if (messageId !== undefined) void discard(messageId);
    dismiss(id);
  }

  return (
    <div
      className="notice"
      data-kind={kind}
      role={kind === "error" ? "alert" : "status"}
      {...holding.handlers}
    >
      <span>{text}</span>
      {kept !== undefined && hasBox && (
        <button type="button" className="plain" onClick={() => putBack(kept)}>
          Put it back
        </button>
      )}
      <button type="button" aria-label="Close this notice" onClick={() => dismiss(id)}>
        <Icon name="close" />
      </button>
    </div>
  );
}

/** Whether the pointer or the focus is on something. */
function useHolding() {
  const [isHovered, setHovered] = useState(false);
  const [hasFocus, setFocus] = useState(false);
  return {
    isHeld: isHovered || hasFocus,
    handlers: {
      onPointerEnter: () => setHovered(true),
      onPointerLeave: () => setHovered(false),
      onFocus: () => setFocus(true),
      onBlur: (event: FocusEvent) => setFocus(event.currentTarget.contains(event.relatedTarget)),
    },
  };
}

/** Leave after a time in which it could be read: not while it is held, and not in a hidden tab. */
function useLeaving(isHeld: boolean, leave: () => void): void {
  const latest = useLatest(leave);
  useEffect(() => {
    if (isHeld) return undefined;
    let timer: ReturnType<typeof setTimeout> | undefined;
    function count() {
      clearTimeout(timer);
      if (!document.hidden) timer = setTimeout(() => latest.current(), NOTICE_MS);
    }
    count();
    document.addEventListener("visibilitychange", count);
    return () => {
      clearTimeout(timer);
      document.removeEventListener("visibilitychange", count);
    };
  }, [isHeld, latest]);
}
