import { act } from "react";
import { afterEach, describe, expect, test, vi } from "vitest";
import type { Answer } from "../../src/websocket/types";
import { answered, button, click, names, press, question, showCard } from "./cards";
import type { Shown } from "./cards";

let shown: Shown | undefined;
afterEach(async () => {
  await shown?.close();
  shown = undefined;
});

const columns = [
  { name: "status", type: "TEXT" },
  { name: "orders", type: null },
];
const rows: Answer["rows"] = [
  ["paid", 812],
  ["open", "9007199254740993"],
  ["lost", null],
];

async function chart(of: Answer["rows"] = rows, heads = columns): Promise<HTMLElement> {
  shown = await showCard([question("SELECT 1"), answered({ columns: heads, rows: of })]);
  await click(button(shown.page, "Chart"));
  await act(async () => vi.dynamicImportSettled());
  return shown.page;
}

describe("a chart", () => {
  test("says its values in words, exactly, and what it leaves out", async () => {
    const page = await chart();
    const picture = page.querySelector("svg");
    expect(picture?.getAttribute("role")).toBe("img");
    expect(picture?.getAttribute("aria-label")).toBe(
      "Result of SELECT 1: paid 812, open 9007199254740993",
    );
    expect(page.textContent).toContain("2 values; 1 row without a value left out");
    expect(page.querySelectorAll("rect")).toHaveLength(2);
  });

  test("tells a value to the keys, and to who cannot see it", async () => {
    const page = await chart();
    const slider = page.querySelector('[role="slider"]') as HTMLElement;
    await press(slider, "ArrowRight");
    await press(slider, "ArrowRight");
    expect(slider.getAttribute("aria-valuetext")).toBe("open: 9007199254740993");
    expect(slider.getAttribute("aria-valuenow")).toBe("2");
    expect(page.querySelector(".answer-chart-value")?.textContent).toBe("open: 9007199254740993");
    await press(slider, "ArrowRight");
    expect(slider.getAttribute("aria-valuenow")).toBe("2");
    await press(slider, "Home");
    expect(slider.getAttribute("aria-valuenow")).toBe("1");
  });

  test("tells the value under the pointer", async () => {
    const page = await chart();
    const slider = page.querySelector('[role="slider"]') as HTMLElement;
    await act(async () => {
      slider.dispatchEvent(
        new PointerEvent("pointermove", { bubbles: true, clientX: 60, clientY: 5 }),
      );
    });
    expect(page.querySelector(".answer-chart-value")?.textContent).toBe("paid: 812");
  });

  test("can be a line, and is one when the card comes back to it", async () => {
    const page = await chart();
    await click(button(page, "Line"));
    expect(page.querySelector("polyline")).not.toBeNull();
    await click(button(page, "Table"));
    await click(button(page, "Chart"));
    expect(page.querySelector("polyline")).not.toBeNull();
  });

  test("lets the reader choose what is drawn where there is a choice", async () => {
    const heads = [...columns, { name: "total", type: null }];
    const page = await chart(
      [
        ["a", 1, 10],
        ["b", 2, 20],
      ],
      heads,
    );
    const select = page.querySelector("select") as HTMLSelectElement;
    await act(async () => {
      select.value = "2";
      select.dispatchEvent(new Event("change", { bubbles: true }));
    });
    expect(page.querySelector("svg")?.getAttribute("aria-label")).toContain("a 10, b 20");
  });

  test("is not offered where nothing can be drawn", async () => {
    for (const of of [
      [["a", 1]],
      [
        ["a", "b"],
        ["c", "d"],
      ],
    ] as Answer["rows"][]) {
      shown = await showCard([question("SELECT 1"), answered({ columns, rows: of })]);
      expect(names(shown.page)).not.toContain("Chart");
      await shown.close();
    }
  });

  test.each([
    [900, "A chart shows at most 500 rows."],
    [400, "A chart needs all rows; show them first."],
  ])("of %i rows, of which some are left out, says why there is none", async (rowCount, why) => {
    const part = { columns, rows, rowCount, rowsOmitted: rowCount - rows.length };
    shown = await showCard([question("SELECT 1"), answered(part)]);
    const tab = button(shown.page, "Chart");
    expect(tab.getAttribute("aria-disabled")).toBe("true");
    expect(tab.title).toBe(why);
    expect(shown.page.textContent).not.toContain(why);
    await click(tab);
    expect(shown.page.textContent).toContain(why);
    expect(shown.chat.ui.getState().announcement?.text).toBe(why);
    expect(tab.getAttribute("aria-pressed")).toBe("false");
  });

  test("of too many rows says so, though all of them are there", async () => {
    const many = Array.from({ length: 501 }, (_, at) => [`a ${at}`, at]);
    shown = await showCard([question("SELECT 1"), answered({ columns, rows: many })]);
    expect(button(shown.page, "Chart").title).toBe("A chart shows at most 500 rows.");
  });

  test("has hostile labels as text", async () => {
    const page = await chart([
      ["<script>alert(1)</script>", 1],
      ["</svg><img src=x>", 2],
    ]);
    expect(page.querySelector("script")).toBeNull();
    expect(page.querySelector("img")).toBeNull();
  });
});
