import { useCallback, useMemo } from "react";
import { counted } from "../format";
import { useChat } from "../hooks/useChat";
import { messageIn } from "../hooks/useMessage";
import { usePaging } from "../hooks/usePaging";
import { useReading } from "../hooks/useReading";
import { useRememberedPlace } from "../hooks/useRememberedPlace";
import { RowMemoryProvider } from "../hooks/useRowMemory";
import { useRoving } from "../hooks/useRoving";
import { useStretch, type Goal } from "../hooks/useStretch";
import { probableHeight } from "../messages/sizes";
import { MessageIcon } from "./MessageIcon";
import { MessageRow } from "./MessageRow";

export interface MessageStretchProps {
  label: string;
  ids: readonly string[];
  /** Where to go; the list goes there once for each new object. */
  goal: Goal;
  hasOlder: boolean;
  hasNewer: boolean;
  isLoading: boolean;
  loadOlder(): void;
  loadNewer(): void;
  /** Show the newest message of all. */
  toEnd(): void;
  /** How many messages there are in all; -1 if that is not known. */
  setSize: number;
  /** The message with a line above it, and what that says. */
  line?: { messageId: string; words: string; look: "new" | "replies" } | undefined;
  /** The message that was just jumped to. */
  marked?: string | undefined;
  /** How many new messages of others lie below what is seen. */
  unreadBelow?: number;
  /** The room in which reading marks messages as read; absent for a thread. */
  room?: string;
}

/** Messages one below the other, of a room or of a thread. Only those in sight are drawn. */
export function MessageStretch(props: MessageStretchProps) {
  const { hasOlder, hasNewer, isLoading, toEnd, room, goal } = props;
  const chat = useChat();
  const { ids, before } = useShown(props);
  const heightOf = useCallback(
    (id: string) => probableHeight(messageIn(chat.store.getState(), id)),
    [chat],
  );
  const { scroller, virtualizer, measure, holdStill } = useStretch({
    ids,
    goal,
    hasNewer,
    heightOf,
  });
  const items = virtualizer.getVirtualItems();
  usePaging({ ...props, ids, first: items[0]?.index ?? -1, last: items.at(-1)?.index ?? -1 });
  useReading({ room, ids, goal, scroller, virtualizer });
  useRememberedPlace(room, scroller, virtualizer);
  const roving = useRoving({ ids, scroller, virtualizer, hasNewer, toEnd });
  return (
    <div className="message-stretch">
      {/* A list that scrolls can have the focus, and passes it on among its messages. */}
      {/* oxlint-disable-next-line jsx-a11y/no-noninteractive-element-interactions */}
      <div
        ref={scroller}
        className="message-scroller"
        role="log"
        aria-live="off"
        aria-label={props.label}
        aria-busy={isLoading}
        // oxlint-disable-next-line jsx-a11y/no-noninteractive-tabindex
        tabIndex={roving.active === undefined ? 0 : -1}
        data-focus-first={roving.active === undefined || undefined}
        onKeyDown={roving.onKeyDown}
        onFocus={roving.onFocus}
        onBlur={roving.onBlur}
      >
        <RowMemoryProvider holdStill={holdStill}>
          <div className="message-fill">
            <div className="message-sizer" style={{ height: virtualizer.getTotalSize() }}>
              <div
                className="message-rows"
                style={{ top: items[0]?.start }} // what sticks in it would not see a transform
              >
                {items.map(({ key, index }) => (
                  <div key={key} data-index={index} ref={measure}>
                    <MessageRow
                      id={String(key)}
                      previousId={index === 0 ? before : ids[index - 1]}
                      isWhole={!hasOlder}
                      line={props.line?.messageId === key ? props.line.words : undefined}
                      lineLook={props.line?.look ?? "new"}
                      isMarked={props.marked === key}
                      isActive={roving.active === key}
                      isInThread={room === undefined}
                      setSize={props.setSize}
                    />
                  </div>
                ))}
              </div>
            </div>
          </div>
        </RowMemoryProvider>
      </div>
      <OlderNote {...props} isAtTop={items[0]?.index === 0} />
      {(hasNewer || !virtualizer.isAtEnd()) && ids.length > 0 && (
        <NewestButton
          unread={props.unreadBelow ?? 0}
          toEnd={() => {
            // The button goes away; the keys are for the messages then.
            scroller.current?.focus({ preventScroll: true });
            toEnd();
          }}
        />
      )}
    </div>
  );
}

/**
 * While older messages lie above, the oldest one that is held is not drawn: so each message that is
 * drawn knows what stands above it, and neither gains nor loses a name or a day when more come. A
 * message that the list was sent to is drawn in any case, and so is the opener of a thread.
 */
function useShown({ ids, hasOlder, goal, room }: MessageStretchProps) {
  const [oldest] = ids;
  const isHeldBack = room !== undefined && hasOlder && ids.length > 1 && goal.messageId !== oldest;
  return useMemo(
    () => (isHeldBack ? { ids: ids.slice(1), before: oldest } : { ids, before: undefined }),
    [ids, isHeldBack, oldest],
  );
}

/**
 * At the top: a note that older messages are coming, or a button to ask again. It moves nothing.
 */
function OlderNote(props: MessageStretchProps & { isAtTop: boolean }) {
  if (!props.hasOlder || !props.isAtTop) return null;
  return (
    <div className="message-older">
      {props.isLoading ? (
        <span className="soft">Reading older messages…</span>
      ) : (
        <button type="button" className="plain" onClick={props.loadOlder}>
          Show older messages
        </button>
      )}
    </div>
  );
}

function NewestButton({ unread, toEnd }: { unread: number; toEnd(): void }) {
  return (
    <button
      type="button"
      className="message-newest"
      aria-label={
        unread > 0 ? `Go to the newest message, ${counted(unread, "new message")}` : undefined
      }
      onClick={toEnd}
    >
      Newest <MessageIcon name="down" /> {unread > 0 && <b>{unread}</b>}
    </button>
  );
}
