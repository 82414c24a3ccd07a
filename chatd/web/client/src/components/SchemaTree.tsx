import { useId, useRef, useState } from "react";
import { fullName, type SchemaRow, type TableRow } from "../composer/schemaRows";
import { useKeyDown } from "../hooks/useKeyDown";

interface SchemaTreeProps {
  rows: readonly SchemaRow[];
  toggle(tableKey: string): void;
  /**
   * Write a name at the cursor; `isOverPage` says whether the panel lies over the page. Absent for
   * a viewer.
   */
  insert?(row: SchemaRow, isOverPage: boolean): void;
  addToQuestion?(row: TableRow): void;
}

/** Tables, and in them their columns: arrows move, Enter writes a name, + adds a table. */
export function SchemaTree({ rows, toggle, insert, addToQuestion }: SchemaTreeProps) {
  const id = useId();
  const tree = useRef<HTMLDivElement>(null);
  const [active, setActive] = useState("");
  const found = rows.findIndex(({ key }) => key === active);
  const at = Math.max(0, found);

  useKeyDown(tree, (event) => {
    if (event.altKey || event.ctrlKey || event.metaKey) return false;
    const row = rows[at];
    return row !== undefined && act(event.key, row);
  });

  function act(key: string, row: SchemaRow): boolean {
    switch (key) {
      case "ArrowDown":
        return go(at + 1);
      case "ArrowUp":
        return go(at - 1);
      case "Home":
        return go(0);
      case "End":
        return go(rows.length - 1);
      case "ArrowRight":
        if (row.kind === "table" && !row.isOpen) toggle(row.key);
        else go(at + 1);
        return true;
      case "ArrowLeft":
        if (row.kind === "column") go(rows.findIndex((one) => one.key === row.tableKey));
        else if (row.isOpen) toggle(row.key);
        return true;
      case "Enter":
        choose(row);
        return true;
      case "+":
        if (row.kind === "table") addToQuestion?.(row);
        return true;
      default:
        return false;
    }
  }

  function go(to: number): boolean {
    const next = Math.max(0, Math.min(rows.length - 1, to));
    setActive(rows[next]?.key ?? "");
    const element = tree.current?.children[next];
    if (element instanceof HTMLElement) element.focus();
    return true;
  }

  /** Write a name; if nothing can be written, show what a table has. */
  function choose(row: SchemaRow): void {
    if (insert !== undefined) insert(row, tree.current?.closest("dialog") != null);
    else if (row.kind === "table") toggle(row.key);
  }

  return (
    <div className="schema-tree" role="tree" aria-label="Tables" ref={tree}>
      {rows.map((row, index) => (
        // The tree hears its keys.
        // oxlint-disable-next-line jsx-a11y/click-events-have-key-events
        <div
          key={row.key}
          role="treeitem"
          aria-level={row.kind === "table" ? 1 : 2}
          aria-expanded={row.kind === "table" ? row.isOpen : undefined}
          aria-selected={false}
          aria-labelledby={`${id}-${index}`}
          className={`schema-row schema-${row.kind}`}
          tabIndex={index === at ? 0 : -1}
          onFocus={() => setActive(row.key)}
          onClick={() => choose(row)}
        >
          {row.kind === "table" && (
            <button
              type="button"
              className="schema-fold"
              tabIndex={-1}
              aria-label={`${row.isOpen ? "Hide" : "Show"} the columns of ${row.table.name}`}
              onClick={(event) => {
                event.stopPropagation();
                toggle(row.key);
              }}
            >
              <span aria-hidden="true">{row.isOpen ? "▾" : "▸"}</span>
            </button>
          )}
          <span id={`${id}-${index}`} className="schema-name">
            <code>{row.kind === "table" ? fullName(row.table) : row.column.name}</code>{" "}
            <span className="soft">{detailOf(row)}</span>
          </span>
          {row.kind === "table" && addToQuestion !== undefined && (
            <button
              type="button"
              className="schema-add"
              tabIndex={-1}
              aria-label={`Let the next question touch ${row.table.name}`}
              onClick={(event) => {
                event.stopPropagation();
                addToQuestion(row);
              }}
            >
              <span aria-hidden="true">+</span>
            </button>
          )}
        </div>
      ))}
    </div>
  );
}

function detailOf(row: SchemaRow): string {
  if (row.kind === "column") return row.column.type ?? "";
  return row.table.kind === "table" ? "" : row.table.kind;
}
