import { memo, useCallback, useId, useMemo, useRef, useState } from "react";
import type { KeyboardEvent, MouseEvent, RefObject } from "react";
import { copyText } from "../answers/clipboard";
import { kept, movedCursor, type Cursor } from "../answers/gridKeys";
import type { ColumnKind } from "../answers/kinds";
import type { Sort } from "../answers/sorting";
import { wholeText } from "../answers/values";
import { widthsOf } from "../answers/widths";
import { useUi } from "../hooks/useChat";
import { ROW_PX, useScrollWindow, type ScrollWindow } from "../hooks/useScrollWindow";
import { useType } from "../hooks/useType";
import type { AnswerColumn, Row } from "../websocket/types";
import { CellDialog } from "./CellDialog";
import { TableHead } from "./TableHead";
import { TableRow, cellId } from "./TableRow";

/** Rows by which the widths of columns are told while more come. */
const WIDTHS_GROWING = 50;

/** The rows of an answer. Of many, those in view are made. */
export const AnswerTable = memo(function AnswerTable(props: AnswerTableProps) {
  const { columns, rows, rowCount, order, kinds, sort, label, isGrowing, isWhole } = props;
  const id = useId();
  const box = useRef<HTMLDivElement>(null);
  const sample = isGrowing ? Math.min(rowCount, WIDTHS_GROWING) : rowCount;
  const type = useType(box);
  const widths = useMemo(
    () => widthsOf(columns, rows, sample, kinds, type),
    [columns, rows, sample, kinds, type],
  );
  const offsets = useMemo(() => offsetsOf(widths), [widths]);
  const seen = useScrollWindow(box, rowCount, offsets);
  const rowAt = useCallback((at: number) => rows[order?.[at] ?? at], [rows, order]);
  const grid = useGrid(props, box, offsets, rowAt);
  const { cursor, opened } = grid;
  const shownRows = [];
  for (let at = seen.rowFrom; at < seen.rowTo; at++) {
    const row = rowAt(at);
    if (row === undefined) continue;
    shownRows.push(
      <TableRow
        key={at}
        table={id}
        row={row}
        at={at}
        kinds={kinds}
        widths={widths}
        type={type}
        columnFrom={seen.columnFrom}
        columnTo={seen.columnTo}
        columnCount={columns.length}
        cursor={cursor?.row === at ? cursor.column : undefined}
      />,
    );
  }
  const openedRow = opened === undefined ? undefined : rowAt(opened.row);
  const openedColumn = opened === undefined ? undefined : columns[opened.column];
  return (
    <div ref={box} className={isWhole ? "answer-scroll is-whole" : "answer-scroll"}>
      <table
        role="grid"
        tabIndex={0}
        aria-label={label}
        aria-readonly="true"
        aria-rowcount={isGrowing ? -1 : rowCount + 1}
        aria-colcount={columns.length}
        aria-activedescendant={
          isMade(cursor, seen) ? cellId(id, cursor.row, cursor.column) : undefined
        }
        style={{ width: offsets.at(-1) }}
        onKeyDown={grid.onKeyDown}
        onClick={grid.onClick}
        onDoubleClick={grid.onDoubleClick}
        onFocus={grid.onFocus}
      >
        <Widths widths={widths} offsets={offsets} seen={seen} />
        <TableHead
          table={id}
          columns={columns}
          columnFrom={seen.columnFrom}
          columnTo={seen.columnTo}
          kinds={kinds}
          sort={sort}
          cursor={cursor?.row === -1 ? cursor.column : undefined}
          isGrowing={isGrowing}
        />
        <tbody>
          <Gap rows={seen.rowFrom} />
          {shownRows}
          <Gap rows={rowCount - seen.rowTo} />
        </tbody>
      </table>
      {opened !== undefined && openedColumn !== undefined && (
        <CellDialog
          cell={openedRow?.[opened.column] ?? null}
          column={openedColumn}
          row={opened.row + 1}
          onClose={grid.close}
        />
      )}
    </div>
  );
});

export interface AnswerTableProps {
  columns: readonly AnswerColumn[];
  rows: readonly Row[];
  rowCount: number;
  /** The numbers of the rows in the order that is shown; as they came where absent. */
  order: readonly number[] | undefined;
  kinds: readonly ColumnKind[];
  sort: Sort | undefined;
  onSort(column: number): void;
  label: string;
  /** Whether more rows may come. */
  isGrowing: boolean;
  /** As high as there is room; else at most as high as a card may be. */
  isWhole: boolean;
}

/** The cursor of a table, what it opens, and what keys and clicks do. */
function useGrid(
  { columns, rowCount, onSort, isGrowing }: AnswerTableProps,
  box: RefObject<HTMLDivElement | null>,
  offsets: readonly number[],
  rowAt: (at: number) => Row | undefined,
) {
  const announce = useUi((state) => state.announce);
  const [place, setCursor] = useState<Cursor>();
  const [opened, setOpened] = useState<Cursor>();
  const size = { rows: rowCount, columns: columns.length };
  const cursor = place === undefined ? undefined : kept(place, size);

  const act = (at: Cursor) => {
    if (at.row >= 0) setOpened(at);
    else if (!isGrowing) onSort(at.column);
  };
  const copy = async (at: Cursor) => {
    const text = at.row < 0 ? columns[at.column]?.name : wholeText(rowAt(at.row)?.[at.column]);
    announce((await copyText(text ?? "")) ? "Copied the value." : "The value was not copied.");
  };
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.altKey || cursor === undefined) return;
    const isControl = event.ctrlKey || event.metaKey;
    const page = Math.max(1, Math.floor((box.current?.clientHeight ?? 0) / ROW_PX) - 2);
    const moved = movedCursor(cursor, event.key, isControl, { ...size, page });
    if (moved !== undefined) {
      setCursor(moved);
      if (box.current !== null) bringIntoView(box.current, moved, offsets);
    } else if (event.key === "Enter" || event.key === " ") {
      act(cursor);
    } else if (isControl && event.key.toLowerCase() === "c" && !hasSelection()) {
      void copy(cursor);
    } else {
      return;
    }
    // The list around the table has keys of its own.
    event.preventDefault();
    event.stopPropagation();
  };
  const onClick = (event: MouseEvent) => {
    const at = cursorOf(event);
    if (at === undefined) return;
    setCursor(at);
    const isButton = (event.target as Element).closest("button") !== null;
    if (isButton) act(at);
  };
  const onDoubleClick = (event: MouseEvent) => {
    const at = cursorOf(event);
    if (at !== undefined && at.row >= 0) setOpened(at);
  };
  return {
    cursor,
    opened,
    onKeyDown,
    onClick,
    onDoubleClick,
    onFocus: () => setCursor((before) => before ?? { row: rowCount > 0 ? 0 : -1, column: 0 }),
    close: () => setOpened(undefined),
  };
}

/** The columns by their widths; one stands for all that are not made at each side. */
function Widths({ widths, offsets, seen }: WidthsProps) {
  const before = offsets[seen.columnFrom] ?? 0;
  const after = (offsets.at(-1) ?? 0) - (offsets[seen.columnTo] ?? 0);
  const shown = widths.slice(seen.columnFrom, seen.columnTo);
  return (
    <colgroup>
      {before > 0 && <col style={{ width: before }} />}
      {shown.map((width, offset) => (
        // Columns have nothing but their place.
        // oxlint-disable-next-line react/no-array-index-key
        <col key={seen.columnFrom + offset} style={{ width }} />
      ))}
      {after > 0 && <col style={{ width: after }} />}
    </colgroup>
  );
}

interface WidthsProps {
  widths: readonly number[];
  offsets: readonly number[];
  seen: ScrollWindow;
}

/** The room of rows that are not made. */
function Gap({ rows }: { rows: number }) {
  if (rows <= 0) return null;
  return (
    <tr aria-hidden="true" className="answer-gap">
      {/* oxlint-disable-next-line jsx-a11y/control-has-associated-label -- it is hidden */}
      <td style={{ height: rows * ROW_PX }} />
    </tr>
  );
}

function offsetsOf(widths: readonly number[]): number[] {
  const offsets = [0];
  for (const width of widths) offsets.push((offsets.at(-1) ?? 0) + width);
  return offsets;
}

function isMade(cursor: Cursor | undefined, seen: ScrollWindow): cursor is Cursor {
  if (cursor === undefined) return false;
  const isRow = cursor.row === -1 || (cursor.row >= seen.rowFrom && cursor.row < seen.rowTo);
  return isRow && cursor.column >= seen.columnFrom && cursor.column < seen.columnTo;
}

function cursorOf(event: MouseEvent): Cursor | undefined {
  const cell = (event.target as Element).closest<HTMLElement>("[data-column]");
  const row = cell?.closest<HTMLElement>("[data-row]");
  if (cell === null || row === null || row === undefined) return undefined;
  return { row: Number(row.dataset["row"]), column: Number(cell.dataset["column"]) };
}

/** Whether the reader has selected text, which is then what is copied. */
function hasSelection(): boolean {
  return (document.getSelection()?.toString() ?? "") !== "";
}

/** Scroll a table, and nothing around it, so that a cell is seen below the head. */
function bringIntoView(box: HTMLElement, { row, column }: Cursor, offsets: readonly number[]) {
  const top = row * ROW_PX;
  const room = box.clientHeight - 2 * ROW_PX;
  if (row >= 0 && top < box.scrollTop) box.scrollTop = top;
  else if (top > box.scrollTop + room) box.scrollTop = top - room;
  const [left, right] = [offsets[column] ?? 0, offsets[column + 1] ?? 0];
  if (left < box.scrollLeft) box.scrollLeft = left;
  else if (right > box.scrollLeft + box.clientWidth) {
    box.scrollLeft = Math.min(left, right - box.clientWidth);
  }
}
