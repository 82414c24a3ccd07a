import { useEffect, useId, useRef, useState } from "react";
import { copyText } from "../answers/clipboard";
import {
  WHOLE_CHARS,
  beginning,
  isBytes,
  piecesOf,
  prettyJson,
  readable,
  wholeText,
} from "../answers/values";
import { count, counted } from "../format";
import type { AnswerColumn, Cell } from "../websocket/types";

/** All of one value; JSON with its lines indented. */
export function CellDialog({ cell, column, row, onClose }: CellDialogProps) {
  const dialog = useRef<HTMLDialogElement>(null);
  const title = useId();
  useEffect(() => {
    const shown = dialog.current;
    if (shown !== null && !shown.open) shown.showModal();
  }, []);
  const name = column.name || "(no name)";
  return (
    // A click on the backdrop is one on the dialog itself; the keyboard has Esc.
    // oxlint-disable-next-line jsx-a11y/click-events-have-key-events, jsx-a11y/no-noninteractive-element-interactions
    <dialog
      ref={dialog}
      className="answer-cell"
      aria-labelledby={title}
      onClose={onClose}
      // Keys act on the dialog, and not on the list behind it.
      onKeyDown={(event) => event.stopPropagation()}
      onClick={(event) => event.target === event.currentTarget && dialog.current?.close()}
    >
      <div className="answer-cell-inside">
        <header>
          <h2 id={title}>
            <bdi>{readable(name)}</bdi>
            <span className="soft">
              {" "}
              row {count(row)}
              {column.type === null ? "" : ` · ${column.type}`}
            </span>
          </h2>
          <CopyValue text={wholeText(cell)} />
          <button type="button" onClick={() => dialog.current?.close()}>
            Close
          </button>
        </header>
        <WholeValue cell={cell} />
      </div>
    </dialog>
  );
}

interface CellDialogProps {
  cell: Cell;
  column: AnswerColumn;
  /** As the reader counts, from 1. */
  row: number;
  onClose(): void;
}

function CopyValue({ text }: { text: string }) {
  const [said, setSaid] = useState("Copy");
  const copy = async () => setSaid((await copyText(text)) ? "Copied" : "Not copied");
  return (
    <button type="button" className="plain" onClick={() => void copy()}>
      {said}
    </button>
  );
}

function WholeValue({ cell }: { cell: Cell }) {
  const whole = wholeText(cell);
  const [isAll, setAll] = useState(whole.length <= WHOLE_CHARS);
  const pretty = typeof cell === "string" ? prettyJson(whole) : undefined;
  const text = pretty ?? readable(isAll ? whole : beginning(whole, WHOLE_CHARS));
  return (
    <>
      <pre
        role="group"
        className={cell === null ? "is-null" : undefined}
        dir="auto"
        // It scrolls, so the keyboard must come to it.
        // oxlint-disable-next-line jsx-a11y/no-noninteractive-tabindex
        tabIndex={0}
        aria-label="Value"
      >
        {piecesOf(text).map((piece, at) => (
          // Pieces have no identity but their place.
          // oxlint-disable-next-line react/no-array-index-key
          <div key={at} className="answer-piece">
            {piece}
          </div>
        ))}
      </pre>
      <footer className="soft">
        {sizeText(cell, whole)}
        {isAll ? null : (
          <button type="button" className="plain" onClick={() => setAll(true)}>
            Show all of it
          </button>
        )}
      </footer>
    </>
  );
}

function sizeText(cell: Cell, whole: string): string {
  if (isBytes(cell)) return counted(Math.max(0, (whole.length - 2) / 2), "byte");
  return typeof cell === "string" ? counted(whole.length, "character") : "";
}
