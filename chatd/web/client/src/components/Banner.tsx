import { useChatStore } from "../hooks/useChat";
import { useNow } from "../hooks/useNow";
import { bannerWords, pacingWords } from "./bannerWords";

/** What there is to say about the connection, above the messages; nothing while all is well. */
export function Banner() {
  const connection = useChatStore((state) => state.connection);
  const waiting = useChatStore((state) => state.pendingMessages.size);
  const retryNow = useChatStore((state) => state.retryNow);
  const isCounting = connection.phase === "reconnecting" || connection.phase === "connecting";
  const now = useNow(isCounting ? 250 : undefined);
  const words = bannerWords(connection, waiting, now);
  return (
    <div className="banner" data-tone={words?.tone} data-phase={connection.phase} hidden={!words}>
      <span role="status">{words?.phase}</span>
      {words?.countdown !== undefined && (
        <span className="banner-countdown">{words.countdown}</span>
      )}
      {words?.canRetry === true && (
        <button type="button" className="plain" onClick={retryNow}>
          Try now
        </button>
      )}
    </div>
  );
}

/** Why messages go out slowly, if the server has said so. */
export function PacingLine() {
  const pacing = useChatStore((state) => state.pacing);
  const waiting = useChatStore((state) => state.pendingMessages.size);
  const perMinute = useChatStore((state) => state.limits?.messagesPerMinute);
  const words = pacingWords(pacing, waiting, perMinute);
  return words === undefined ? null : (
    <p className="pacing soft" role="status">
      {words}
    </p>
  );
}
