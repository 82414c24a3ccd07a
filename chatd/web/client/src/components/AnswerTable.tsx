import { memo, useCallback, useId, useMemo, useRef } from "react";
import type { Cursor } from "../answers/gridKeys";
import type { ColumnKind } from "../answers/kinds";
import type { Sort } from "../answers/sorting";
import { widthsOf } from "../answers/widths";
import { useGrid } from "../hooks/useGrid";
import { ROW_PX, useScrollWindow, type ScrollWindow } from "../hooks/useScrollWindow";
import { useType } from "../hooks/useType";
import type { AnswerColumn, Row } from "../websocket/types";
import { CellDialog } from "./CellDialog";
import { TableHead } from "./TableHead";
import { TableRow, cellId } from "./TableRow";

/** How many rows decide the widths of columns while more come. */
const WIDTHS_GROWING = 50;

/** The rows of an answer. If there are many, only those in view are made. */
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
  const { onSort } = props;
  const grid = useGrid({ columns, rowCount, onSort, isGrowing, box, offsets, rowAt });
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
  /** The numbers of the rows in the order that is shown; absent: as they came. */
  order: readonly number[] | undefined;
  kinds: readonly ColumnKind[];
  sort: Sort | undefined;
  onSort(column: number): void;
  label: string;
  /** Whether more rows may come. */
  isGrowing: boolean;
  /** Whether it is as high as there is room; else it is at most as high as a card may be. */
  isWhole: boolean;
}

/** The columns by their widths; at each side, one column stands for all that are not made. */
function Widths({ widths, offsets, seen }: WidthsProps) {
  const before = offsets[seen.columnFrom] ?? 0;
  const after = (offsets.at(-1) ?? 0) - (offsets[seen.columnTo] ?? 0);
  const shown = widths.slice(seen.columnFrom, seen.columnTo);
  return (
    <colgroup>
      {before > 0 && <col style={{ width: before }} />}
      {shown.map((width, offset) => (
        // Columns have no identity but their place.
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

/** The space of rows that are not made. */
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
