import { useEffect, useState } from "react";
import type { Sort } from "../answers/sorting";
import type { AnswerActions } from "../hooks/useAnswerActions";
import type { ExportFormat } from "../stores/state";
import type { Answer } from "../websocket/types";
import { AskAgainButton } from "./AskAgainButton";
import { Menu } from "./Menu";

/** The actions of an answer that has ended, always in the same order. */
export function AnswerBar(props: AnswerBarProps) {
  const { answer, actions, canAsk, sort, mayWrite, isWhole, isViewer } = props;
  const hasTable = answer.columns.length > 0;
  const canExport = hasTable && answer.state === "done";
  // What the server refuses would be refused again.
  const canRunAgain = answer.error?.retryable !== false;
  const canOpen = hasTable && !isWhole;
  // With an answer that is only words, a viewer can do nothing.
  if (isViewer && !hasTable) return null;
  return (
    <div className="answer-bar" role="group" aria-label="Actions">
      {hasTable && answer.rowCount > 0 ? (
        <Lasting label="Copy table" done="Copied" act={() => actions.copy(sort)} />
      ) : null}
      {canExport ? (
        <>
          <Download label="CSV" format="csv" actions={actions} />
          <Download label="JSON" format="json" actions={actions} />
          <Download label="XLSX" format="xlsx" actions={actions} />
        </>
      ) : null}
      {isViewer || !canRunAgain ? null : (
        <AskAgainButton
          label="Run again"
          isDisabled={!canAsk}
          mayWrite={mayWrite}
          ask={() => void actions.runAgain()}
        />
      )}
      {isViewer ? null : (
        <button type="button" disabled={!canAsk} onClick={actions.edit}>
          Edit and run
        </button>
      )}
      {isViewer && !canExport && !canOpen ? null : (
        <Menu label="More actions">
          {canExport ? (
            <>
              <Download
                label="Download as CSV for Excel"
                format="csv"
                query="&bom=1"
                actions={actions}
              />
              <Download label="Download as NDJSON" format="ndjson" actions={actions} />
              <Download label="Download as Markdown" format="md" actions={actions} />
            </>
          ) : null}
          {canOpen ? (
            <button type="button" onClick={actions.openInPanel}>
              Open in panel
            </button>
          ) : null}
          {isViewer ? null : (
            <button type="button" onClick={actions.reply}>
              Reply in thread
            </button>
          )}
        </Menu>
      )}
    </div>
  );
}

interface AnswerBarProps {
  answer: Answer;
  actions: AnswerActions;
  /** Whether it is known what was asked. */
  canAsk: boolean;
  sort: Sort | undefined;
  mayWrite: boolean;
  isWhole: boolean;
  /** Whether the user may only read the room: what asks and writes is left out. */
  isViewer: boolean;
}

/** How long a button says what it has done. Unit: ms. */
const SAID_MS = 2_500;

/**
 * A button for something that takes a moment: it says that it is at work, and then that it is done.
 */
function Lasting({ label, done, act }: { label: string; done: string; act(): Promise<boolean> }) {
  const [said, setSaid] = useState("");
  useEffect(() => {
    if (said === "" || said.endsWith("…")) return undefined;
    const timer = setTimeout(() => setSaid(""), SAID_MS);
    return () => clearTimeout(timer);
  }, [said]);
  const begin = async () => {
    setSaid(`${label}…`);
    setSaid((await act()) ? done : "Not possible");
  };
  return (
    <button type="button" disabled={said.endsWith("…")} onClick={() => void begin()}>
      {said || label}
    </button>
  );
}

function Download({ label, format, query, actions }: DownloadProps) {
  const [isBusy, setBusy] = useState(false);
  const begin = async () => {
    setBusy(true);
    await actions.download(format, query);
    setBusy(false);
  };
  return (
    <button
      type="button"
      disabled={isBusy}
      title={label.startsWith("Download") ? label : `Download as ${label}`}
      onClick={() => void begin()}
    >
      {label}
    </button>
  );
}

interface DownloadProps {
  label: string;
  format: ExportFormat;
  /** What the link says beside its ticket. */
  query?: string;
  actions: AnswerActions;
}
