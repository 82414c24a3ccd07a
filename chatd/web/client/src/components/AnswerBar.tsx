import { useEffect, useState } from "react";
import type { Sort } from "../answers/sorting";
import type { AnswerActions } from "../hooks/useAnswerActions";
import type { ExportFormat } from "../stores/state";
import type { Answer } from "../websocket/types";
import { Menu } from "./Menu";

/** The actions of an answer that has ended. What helps most stands first. */
export function AnswerBar(props: AnswerBarProps) {
  const { answer, actions, canAsk, sort, mayWrite, isWhole } = props;
  const hasTable = answer.columns.length > 0;
  const canExport = hasTable && answer.state === "done";
  const isFaulty = answer.error?.code === "db_syntax" || answer.error?.code === "db_error";
  const edit = (
    <button
      key="edit"
      type="button"
      className={isFaulty ? "plain" : undefined}
      disabled={!canAsk}
      onClick={actions.edit}
    >
      Edit and run
    </button>
  );
  return (
    <div className="answer-bar" role="group" aria-label="Actions">
      {isFaulty ? edit : null}
      {hasTable && answer.rowCount > 0 ? (
        <Lasting label="Copy" done="Copied" act={() => actions.copy(sort)} />
      ) : null}
      {canExport ? (
        <>
          <Download label="CSV" format="csv" actions={actions} />
          <Download label="JSON" format="json" actions={actions} />
          <Download label="XLSX" format="xlsx" actions={actions} />
        </>
      ) : null}
      <RunAgain canAsk={canAsk} mayWrite={mayWrite} actions={actions} />
      {isFaulty ? null : edit}
      <Menu label="More actions">
        {canExport ? (
          <>
            <Download label="Download as NDJSON" format="ndjson" actions={actions} />
            <Download label="Download as Markdown" format="md" actions={actions} />
          </>
        ) : null}
        {hasTable && !isWhole ? (
          <button type="button" onClick={actions.openInPanel}>
            Open in panel
          </button>
        ) : null}
        <button type="button" onClick={actions.reply}>
          Reply in thread
        </button>
      </Menu>
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
}

/** How long a button says what it has done, or asks whether it is meant. Unit: ms. */
const SAID_MS = 2_500;
const ASKED_MS = 6_000;

/** A button for what takes a moment: it says so, and then that it is done. */
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

function Download({ label, format, actions }: DownloadProps) {
  const [isBusy, setBusy] = useState(false);
  const begin = async () => {
    setBusy(true);
    await actions.download(format);
    setBusy(false);
  };
  return (
    <button
      type="button"
      disabled={isBusy}
      title={`Download as ${format.toUpperCase()}`}
      onClick={() => void begin()}
    >
      {label}
    </button>
  );
}

interface DownloadProps {
  label: string;
  format: ExportFormat;
  actions: AnswerActions;
}

/** What may write is run again only when it is asked for twice. */
function RunAgain({
  canAsk,
  mayWrite,
  actions,
}: Pick<AnswerBarProps, "canAsk" | "mayWrite" | "actions">) {
  const [isSure, setSure] = useState(false);
  useEffect(() => {
    if (!isSure) return undefined;
    const timer = setTimeout(() => setSure(false), ASKED_MS);
    return () => clearTimeout(timer);
  }, [isSure]);
  const run = () => {
    setSure(mayWrite && !isSure);
    if (!mayWrite || isSure) void actions.runAgain();
  };
  return (
    <button
      type="button"
      className={isSure ? "danger" : undefined}
      disabled={!canAsk}
      onClick={run}
    >
      {isSure ? "It may write. Run again?" : "Run again"}
    </button>
  );
}
