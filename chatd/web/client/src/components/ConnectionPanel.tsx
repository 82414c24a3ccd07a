import { useSyncExternalStore } from "react";
import { copyText } from "../copyText";
import { useChat, useChatStore } from "../hooks/useChat";
import { useNow } from "../hooks/useNow";
import { count, duration } from "../format";
import type { Figures } from "../websocket/metrics";

const SHOWN = 100;

/** What happened on the connection, in figures and line by line; without content or tokens. */
export function ConnectionPanel() {
  const { log } = useChat();
  const connection = useChatStore((state) => state.connection);
  const waiting = useChatStore((state) => state.pendingMessages.size);
  const server = useChatStore((state) => state.server);
  const notify = useChatStore((state) => state.notify);
  const events = useSyncExternalStore(
    (changed) => log.subscribe(changed),
    () => log.events,
    () => log.events,
  );
  useNow(1_000);
  const figures = log.figures();

  async function copy() {
    const report = { server, connection, waiting, figures, events, browser: navigator.userAgent };
    const isCopied = await copyText(JSON.stringify(report, undefined, 1));
    notify(
      isCopied
        ? { kind: "info", text: "The log is on the clipboard, as JSON." }
        : {
            kind: "error",
            text: "This browser does not let the page copy; select the lines instead.",
          },
    );
  }

  return (
    <>
      <dl className="figures">
        <Figure
          name="Server"
          value={server === undefined ? "unknown" : `chatd ${server.version}`}
        />
        <Figure name="State" value={connection.phase} />
        <Figure name="Waiting here" value={count(waiting)} />
        {figureRows(figures).map(([name, value]) => (
          <Figure key={name} name={name} value={value} />
        ))}
      </dl>
      <button type="button" className="plain" onClick={() => void copy()}>
        Copy as JSON
      </button>
      <h3>The last events</h3>
      <ol className="log-lines mono">
        {events
          .slice(-SHOWN)
          .toReversed()
          .map((line) => (
            <li key={`${line.at} ${line.event} ${JSON.stringify(line.fields)}`}>
              <time>{new Date(line.at).toISOString().slice(11, 23)}</time> {line.event}{" "}
              <span className="soft">{fieldsOf(line.fields)}</span>
            </li>
          ))}
      </ol>
    </>
  );
}

function Figure({ name, value }: { name: string; value: string }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{value}</dd>
    </div>
  );
}

function figureRows(figures: Figures): [string, string][] {
  const ms = (value: number | undefined) => (value === undefined ? "none yet" : duration(value));
  return [
    ["Send to stored, half of them within", ms(figures.sendP50)],
    ["Send to stored, 95 of 100 within", ms(figures.sendP95)],
    ["Received per second", figures.receivedPerSecond.toFixed(1)],
    ["Sent", count(figures.sent)],
    ["Received", count(figures.received)],
    ["Reconnects", count(figures.reconnects)],
    ["Refused", count(figures.refused)],
    ["Stored before (duplicates)", count(figures.duplicates)],
    ["Gaps filled", count(figures.gapsFilled)],
  ];
}

function fieldsOf(fields: Readonly<Record<string, string | number | boolean | undefined>>): string {
  return Object.entries(fields)
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => `${name}=${String(value)}`)
    .join(" ");
}
