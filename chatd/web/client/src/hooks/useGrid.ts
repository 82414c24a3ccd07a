/** The cursor of a table: the cell that keys move, open and copy. */
import { useState, type KeyboardEvent, type MouseEvent, type RefObject } from "react";
import { copyText } from "../answers/clipboard";
import { kept, movedCursor, type Cursor } from "../answers/gridKeys";
import { wholeText } from "../answers/values";
import type { AnswerColumn, Row } from "../websocket/types";
import { useUi } from "./useChat";
import { ROW_PX } from "./useScrollWindow";

export interface GridParts {
  columns: readonly AnswerColumn[];
  rowCount: number;
  onSort(column: number): void;
  isGrowing: boolean;
  /** The element that scrolls. */
  box: RefObject<HTMLElement | null>;
  /** Where each column begins, and where the last one ends. Unit: px. */
  offsets: readonly number[];
  rowAt(at: number): Row | undefined;
}

/** The cursor, the cell that is open, and what keys and clicks do. */
export function useGrid({ columns, rowCount, onSort, isGrowing, box, offsets, rowAt }: GridParts) {
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
