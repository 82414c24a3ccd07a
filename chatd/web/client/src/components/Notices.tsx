import { useChatStore, useUi } from "../hooks/useChat";
import { Icon } from "./Icon";

/** Sentences above the composer, newest last; each stays until it is closed. */
export function Notices() {
  const notices = useChatStore((state) => state.notices);
  const dismiss = useChatStore((state) => state.dismissNotice);
  const discard = useChatStore((state) => state.discardMessage);
  const compose = useUi((state) => state.compose);
  return (
    <div className="notices">
      {notices.map(({ id, kind, text, kept, messageId }) => (
        <div
          key={id}
          className="notice"
          data-kind={kind}
          role={kind === "error" ? "alert" : "status"}
        >
          <span>{text}</span>
          {kept !== undefined && (
            <button
              type="button"
              className="plain"
              onClick={() => {
                compose(kept, "insert");
                if (messageId !== undefined) void discard(messageId);
                dismiss(id);
              }}
            >
              Put it back
            </button>
          )}
          <button type="button" aria-label="Close this notice" onClick={() => dismiss(id)}>
            <Icon name="close" />
          </button>
        </div>
      ))}
    </div>
  );
}
