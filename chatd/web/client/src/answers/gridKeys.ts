/** Where a key moves the cursor of a table; the row -1 is the head. */

export interface Cursor {
  row: number;
  column: number;
}

export interface GridSize {
  rows: number;
  columns: number;
  /** Rows that are in view at once. */
  page: number;
}

/** The next place of the cursor; undefined if the key moves nothing. */
export function movedCursor(
  cursor: Cursor,
  key: string,
  isControl: boolean,
  size: GridSize,
): Cursor | undefined {
  const { row, column } = cursor;
  const end = { row: size.rows - 1, column: size.columns - 1 };
  switch (key) {
    case "ArrowUp":
      return kept({ row: isControl ? 0 : row - 1, column }, size);
    case "ArrowDown":
      return kept({ row: isControl ? end.row : row + 1, column }, size);
    case "ArrowLeft":
      return kept({ row, column: isControl ? 0 : column - 1 }, size);
    case "ArrowRight":
      return kept({ row, column: isControl ? end.column : column + 1 }, size);
    case "Home":
      return kept({ row: isControl ? 0 : row, column: 0 }, size);
    case "End":
      return kept({ row: isControl ? end.row : row, column: end.column }, size);
    case "PageUp":
      return kept({ row: Math.max(0, row - size.page), column }, size);
    case "PageDown":
      return kept({ row: row + size.page, column }, size);
    default:
      return undefined;
  }
}

/** The cursor, inside of the table. */
export function kept(cursor: Cursor, size: Pick<GridSize, "rows" | "columns">): Cursor {
  return {
    row: Math.max(-1, Math.min(size.rows - 1, cursor.row)),
    column: Math.max(0, Math.min(size.columns - 1, cursor.column)),
  };
}
