import { memo } from "react";
import { isRightAligned, type ColumnKind } from "../answers/kinds";
import { shownCell } from "../answers/values";
import { fits, type TypeWidths } from "../answers/widths";
import type { Row } from "../websocket/types";

/** The id of a cell, by which the table names the one with the cursor. */
export function cellId(table: string, row: number, column: number): string {
  return `${table}-${row}-${column}`;
}

/** A row of a table; rendered again only if something in it changes. */
export const TableRow = memo(function TableRow(props: TableRowProps) {
  const { table, row, at, columnFrom, columnTo, columnCount, cursor } = props;
  const cells = [];
  for (let column = columnFrom; column < columnTo; column++) {
    cells.push(
      <TableCell
        key={column}
        id={cellId(table, at, column)}
        cell={row[column]}
        column={column}
        kind={props.kinds[column]}
        width={props.widths[column] ?? 0}
        type={props.type}
        isCursor={cursor === column}
      />,
    );
  }
  return (
    <tr aria-rowindex={at + 2} data-row={at}>
      {columnFrom > 0 && <td aria-hidden="true" />}
      {cells}
      {columnTo < columnCount && <td aria-hidden="true" />}
    </tr>
  );
});

interface TableRowProps {
  table: string;
  row: Row;
  /** Its place in the order that is shown, from 0. */
  at: number;
  kinds: readonly ColumnKind[];
  widths: readonly number[];
  type: TypeWidths;
  columnFrom: number;
  columnTo: number;
  columnCount: number;
  /** The column that has the cursor in this row. */
  cursor: number | undefined;
}

interface TableCellProps {
  id: string;
  cell: Row[number] | undefined;
  column: number;
  kind: ColumnKind | undefined;
  width: number;
  type: TypeWidths;
  isCursor: boolean;
}

function TableCell({ id, cell, column, kind, width, type, isCursor }: TableCellProps) {
  const { text, isCut } = shownCell(cell);
  const isNull = cell === null || cell === undefined;
  const classes = [
    isRightAligned(kind) ? "is-number" : "",
    isNull ? "is-null" : "",
    isCursor ? "is-cursor" : "",
  ];
  // The direction is that of the text: it leaves the lines between the cells where they are.
  const value = <span dir="auto">{text}</span>;
  return (
    <td
      id={id}
      className={classes.filter(Boolean).join(" ") || undefined}
      aria-colindex={column + 1}
      aria-selected={isCursor}
      data-column={column}
    >
      {isCut || !fits(text, width, type) ? (
        <span className="answer-long">
          {value}
          <button type="button" tabIndex={-1} data-open="" aria-label="Show all of it">
            ⤢
          </button>
        </span>
      ) : (
        value
      )}
    </td>
  );
}
