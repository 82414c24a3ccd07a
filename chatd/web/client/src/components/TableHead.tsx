import { memo } from "react";
import { isRightAligned, type ColumnKind } from "../answers/kinds";
import type { Sort } from "../answers/sorting";
import { beginning, oneLine } from "../answers/values";
import type { AnswerColumn } from "../websocket/types";
import { cellId } from "./TableRow";

/** Characters of a column's name that are shown. */
const NAME_CHARS = 200;

/** The names of the columns; a click sorts by one. */
export const TableHead = memo(function TableHead(props: TableHeadProps) {
  const { table, columns, columnFrom, columnTo, kinds, sort, cursor, isGrowing } = props;
  const shown = columns.slice(columnFrom, columnTo);
  return (
    <thead>
      <tr aria-rowindex={1} data-row={-1}>
        {columnFrom > 0 && <td aria-hidden="true" />}
        {shown.map((column, offset) => {
          const index = columnFrom + offset;
          return (
            // oxlint-disable-next-line jsx-a11y/control-has-associated-label -- its button has one
            <th
              // Names need not differ; the place of a column does.
              key={index}
              id={cellId(table, -1, index)}
              scope="col"
              aria-colindex={index + 1}
              aria-sort={sort?.column === index ? sort.direction : "none"}
              aria-selected={cursor === index}
              data-column={index}
              className={classOf(kinds[index], cursor === index)}
            >
              <button
                type="button"
                tabIndex={-1}
                aria-disabled={isGrowing}
                title={titleOf(column, isGrowing)}
              >
                <bdi>{oneLine(beginning(column.name, NAME_CHARS)) || "(no name)"}</bdi>
                <span className="answer-order" aria-hidden="true">
                  {sort?.column === index ? (sort.direction === "ascending" ? "▲" : "▼") : ""}
                </span>
              </button>
            </th>
          );
        })}
        {columnTo < columns.length && <td aria-hidden="true" />}
      </tr>
    </thead>
  );
});

interface TableHeadProps {
  table: string;
  columns: readonly AnswerColumn[];
  columnFrom: number;
  columnTo: number;
  kinds: readonly ColumnKind[];
  sort: Sort | undefined;
  cursor: number | undefined;
  isGrowing: boolean;
}

function classOf(kind: ColumnKind | undefined, isCursor: boolean): string | undefined {
  const classes = [isRightAligned(kind) ? "is-number" : "", isCursor ? "is-cursor" : ""];
  return classes.filter(Boolean).join(" ") || undefined;
}

function titleOf(column: AnswerColumn, isGrowing: boolean): string {
  const type = column.type === null ? "" : ` (${column.type})`;
  const name = oneLine(beginning(column.name, NAME_CHARS));
  return isGrowing ? `${name}${type}. Rows can be sorted once all are there.` : `${name}${type}`;
}
