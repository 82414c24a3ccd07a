import { act, useState } from "react";
import { afterEach, describe, expect, test, vi } from "vitest";
import { kindsOf } from "../../src/answers/kinds";
import { nextSort, sortedOrder, type Sort } from "../../src/answers/sorting";
import { AnswerTable } from "../../src/components/AnswerTable";
import * as tableRow from "../../src/components/TableRow";
import type { AnswerColumn, Row } from "../../src/websocket/types";
import { runningAnswer } from "../answerFakes";
import { fakeChat } from "../fakes";
import { button, cells, click, placeholder, press, question, show, showCard } from "./cards";
import type { Shown } from "./cards";

let shown: Shown | undefined;
afterEach(async () => {
  vi.useRealTimers();
  await shown?.close();
  shown = undefined;
});

const named = (...names: string[]): AnswerColumn[] => names.map((name) => ({ name, type: null }));
const numbered = (n: number): Row[] => Array.from({ length: n }, (_, at) => [at, `row ${at}`]);

interface TableProps {
  columns: AnswerColumn[];
  rows: Row[];
  isGrowing?: boolean;
}

/** A table that keeps its own order, as a card does. */
function SortableTable({ columns, rows, isGrowing = false }: TableProps) {
  const [sort, setSort] = useState<Sort>();
  const kinds = kindsOf(columns, rows);
  return (
    <AnswerTable
      columns={columns}
      rows={rows}
      rowCount={rows.length}
      order={sortedOrder(rows, sort, kinds[sort?.column ?? -1])}
      kinds={kinds}
      sort={sort}
      onSort={(column) => setSort((before) => nextSort(before, column))}
      label="Result"
      isGrowing={isGrowing}
      isWhole={false}
    />
  );
}

async function table(
  columns: AnswerColumn[],
  rows: Row[],
  isGrowing = false,
): Promise<HTMLElement> {
  shown = await show(
    fakeChat(),
    <SortableTable columns={columns} rows={rows} isGrowing={isGrowing} />,
  );
  return shown.page.querySelector("table") as HTMLElement;
}

describe("a table", () => {
  test("tells how many rows and columns it has, and the place of each row", async () => {
    const grid = await table(named("a", "b"), numbered(3));
    expect(grid.getAttribute("aria-rowcount")).toBe("4");
    expect(grid.getAttribute("aria-colcount")).toBe("2");
    const places = [...grid.querySelectorAll("tr")].map((row) => row.getAttribute("aria-rowindex"));
    expect(places).toEqual(["1", "2", "3", "4"]);
  });

  test("sets numbers to the right, and NULL apart", async () => {
    const grid = await table(named("n", "t"), [
      ["9007199254740993", "x"],
      [null, null],
    ]);
    const [first, second, third, fourth] = grid.querySelectorAll("td");
    expect(first?.className).toBe("is-number");
    expect(second?.className).toBe("");
    expect(third?.className).toBe("is-number is-null");
    expect(fourth?.className).toBe("is-null");
    expect(fourth?.textContent).toBe("NULL");
  });

  test("may have names twice, and none", async () => {
    const grid = await table(named("a", "a", ""), [[1, 2, 3]]);
    expect([...grid.querySelectorAll("th bdi")].map((name) => name.textContent)).toEqual([
      "a",
      "a",
      "(no name)",
    ]);
  });

  test("may have rows that are shorter or longer than its head", async () => {
    const grid = await table(named("a", "b"), [[1], [1, 2, 3]]);
    expect(cells(grid)).toEqual([
      ["1", "NULL"],
      ["1", "2"],
    ]);
  });

  test("lets text run in its own direction", async () => {
    const grid = await table(named("a"), [["שלום"]]);
    expect(grid.querySelector("td")?.hasAttribute("dir")).toBe(false);
    expect(grid.querySelector("td span")?.getAttribute("dir")).toBe("auto");
  });

  test("makes those of a thousand rows alone that are in view", async () => {
    const grid = await table(named("n", "t"), numbered(1_000));
    const made = cells(grid);
    expect(made.length).toBeLessThan(60);
    expect(made[0]).toEqual(["0", "row 0"]);
    const gap = grid.querySelector<HTMLElement>(".answer-gap td");
    expect(Number.parseInt(gap?.style.height ?? "")).toBe((1_000 - made.length) * 28);
  });

  test("makes those of a thousand columns alone that are in view", async () => {
    const names = Array.from({ length: 1_000 }, (_, at) => `column ${at}`);
    const grid = await table(named(...names), [names, names]);
    expect(grid.querySelectorAll("th[data-column]").length).toBeLessThan(60);
    expect(grid.querySelectorAll("td[data-column]").length).toBeLessThan(120);
    expect(grid.querySelector("td[data-column]")?.getAttribute("aria-colindex")).toBe("1");
  });

  test("makes the rows that it is scrolled to", async () => {
    const grid = await table(named("n", "t"), numbered(1_000));
    const box = grid.parentElement as HTMLElement;
    await act(async () => {
      box.scrollTop = 500 * 28;
      box.dispatchEvent(new Event("scroll"));
    });
    const made = cells(grid).map(([n]) => Number(n));
    expect(made).toContain(500);
    expect(made).not.toContain(0);
    expect(grid.querySelector("tbody tr[data-row]")?.getAttribute("aria-rowindex")).toBe(
      `${(made[0] ?? 0) + 2}`,
    );
  });
});

describe("a click on the head of a column", () => {
  test("sorts up, down, and not any more", async () => {
    const grid = await table(named("n", "t"), [
      [10, "b"],
      [9, "a"],
      [null, "c"],
    ]);
    const order = async () => {
      const head = grid.querySelector("th");
      await click(head?.querySelector("button") as Element);
      return [head?.getAttribute("aria-sort"), cells(grid).map(([n]) => n)];
    };
    expect(await order()).toEqual(["ascending", ["9", "10", "NULL"]]);
    expect(await order()).toEqual(["descending", ["10", "9", "NULL"]]);
    expect(await order()).toEqual(["none", ["10", "9", "NULL"]]);
  });

  test("does nothing while rows come", async () => {
    const grid = await table(named("n", "t"), [[2], [1]], true);
    await click(button(grid, "n"));
    expect(cells(grid).map(([n]) => n)).toEqual(["2", "1"]);
    expect(button(grid, "n").getAttribute("aria-disabled")).toBe("true");
  });
});

describe("the keys of a table", () => {
  async function focused(rows: Row[] = numbered(3)) {
    const grid = await table(named("n", "t"), rows);
    await act(async () => grid.focus());
    return grid;
  }
  const at = (grid: HTMLElement) => {
    const cell = grid.querySelector(`[id="${grid.getAttribute("aria-activedescendant")}"]`);
    return cell?.textContent;
  };

  test("move a cursor, which is told to screen readers", async () => {
    const grid = await focused();
    expect(at(grid)).toBe("0");
    await press(grid, "ArrowRight");
    await press(grid, "ArrowDown");
    expect(at(grid)).toBe("row 1");
    expect(grid.querySelectorAll(".is-cursor")).toHaveLength(1);
  });

  test("are the table's alone where it uses them", async () => {
    const grid = await focused();
    const heard = vi.fn();
    document.addEventListener("keydown", heard);
    const used = await press(grid, "ArrowDown");
    const other = await press(grid, "j");
    document.removeEventListener("keydown", heard);
    expect([used.defaultPrevented, other.defaultPrevented]).toEqual([true, false]);
  });

  test("sort from the head", async () => {
    const grid = await focused([[2], [1]]);
    await press(grid, "ArrowUp");
    await press(grid, "Enter");
    expect(cells(grid).map(([n]) => n)).toEqual(["1", "2"]);
  });

  test("open a value, and copy it", async () => {
    const grid = await focused([["x", '{"a":1}']]);
    await press(grid, "ArrowRight");
    await press(grid, "Enter");
    const dialog = shown?.page.querySelector("dialog") as HTMLElement;
    expect(dialog.querySelector("pre")?.textContent).toBe('{\n  "a": 1\n}');
    expect(dialog.textContent).toContain("7 characters");
    await click(button(dialog, "Close"));
    expect(shown?.page.querySelector("dialog")).toBeNull();
    const writeText = vi.fn(async () => {});
    vi.stubGlobal("navigator", { clipboard: { writeText } });
    await press(grid, "c", { ctrlKey: true });
    expect(writeText).toHaveBeenCalledWith('{"a":1}');
    expect(shown?.chat.ui.getState().announcement?.text).toBe("Copied the value.");
  });
});

describe("a value that is cut", () => {
  const long = "x".repeat(1_000_000);

  test("has a button that shows all of it, and does so bit by bit where it is very long", async () => {
    const grid = await table(named("a", "b"), [[long, 1]]);
    expect(grid.querySelector("td")?.textContent?.length).toBeLessThan(300);
    await click(button(grid, "Show all of it"));
    const dialog = shown?.page.querySelector("dialog") as HTMLElement;
    expect(dialog.textContent).toContain("1,000,000 characters");
    expect(dialog.querySelector("pre")?.textContent?.length).toBe(100_000);
    await click(button(dialog, "Show all of it"));
    expect(dialog.querySelector("pre")?.textContent?.length).toBe(1_000_000);
  });

  test("opens by two clicks, too", async () => {
    const grid = await table(named("a"), [["y"]]);
    const cell = grid.querySelector("td") as HTMLElement;
    await act(async () => {
      cell.dispatchEvent(new MouseEvent("dblclick", { bubbles: true }));
    });
    expect(shown?.page.querySelector("dialog pre")?.textContent).toBe("y");
  });
});

test("rows that come render the new rows, and no other", async () => {
  vi.useFakeTimers({ toFake: ["setInterval"] }); // the clock of the card ticks by itself
  const columns = named("n", "t");
  const rows = numbered(10);
  const live = runningAnswer({ phase: "fetching", columns, rows, rowCount: 10 });
  shown = await showCard([question("SELECT 1"), placeholder()], {}, (chat) =>
    chat.answers.put(live),
  );
  const { page, chat } = shown;
  const body = page.querySelector("tbody") as HTMLElement;
  const changed: MutationRecord[] = [];
  const observer = new MutationObserver((records) => void changed.push(...records));
  observer.observe(body, { subtree: true, childList: true, characterData: true, attributes: true });
  const before = shown.renders();
  for (let batch = 0; batch < 5; batch++) {
    rows.push(...numbered(5));
    const next = { ...live, rowCount: rows.length };
    await act(async () => chat.answers.put(next));
  }
  await act(async () => {});
  changed.push(...observer.takeRecords());
  observer.disconnect();
  expect(cells(page)).toHaveLength(35);
  expect(shown.renders() - before).toBe(5);
  const added = changed.flatMap((record) => [...record.addedNodes]);
  expect(added).toHaveLength(25);
  expect(changed.flatMap((record) => [...record.removedNodes])).toHaveLength(0);
  expect(changed.filter((record) => record.type !== "childList")).toHaveLength(0);
});

test("a row is told apart from others by its table", () => {
  expect(tableRow.cellId("t", 1, 2)).not.toBe(tableRow.cellId("u", 1, 2));
});
