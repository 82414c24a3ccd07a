import { expect, test } from "vitest";
import { htmlOf, tsvOf } from "../../src/answers/copying";
import type { Row } from "../../src/websocket/types";

const columns = [
  { name: "a", type: null },
  { name: "a", type: null },
];

test("a table is lines of cells with tabs between them", () => {
  const rows: Row[] = [
    [1, null],
    ["9007199254740993", "1.50"],
    [true, { $bytes: "AP8=" }],
  ];
  expect(tsvOf(columns, rows)).toBe("a\ta\n1\t\n9007199254740993\t1.50\ntrue\t0x00ff");
});

test("a cell with a tab, a line break or a quote at its beginning stands in quotes", () => {
  expect(
    tsvOf(columns, [
      ["a\tb", 'say "x"\ny'],
      ['"', "'"],
    ]),
  ).toBe('a\ta\n"a\tb"\t"say ""x""\ny"\n""""\t\'');
});

test("a formula stays as it is shown, and is marked as a text for spreadsheets", () => {
  const rows: Row[] = [["=1+1", -5]];
  expect(tsvOf(columns, rows)).toBe("a\ta\n=1+1\t-5");
  expect(htmlOf(columns, rows)).toContain(
    `<td style="mso-number-format:'\\@'">=1+1</td><td>-5</td>`,
  );
});

test("the names of columns are texts for spreadsheets, too", () => {
  const html = htmlOf([{ name: "=1+1", type: null }], []);
  expect(html).toContain(`<th style="mso-number-format:'\\@'">=1+1</th>`);
});

test("no value becomes markup", () => {
  const hostile = `</td><script>alert("1")</script>&'`;
  const html = htmlOf([{ name: hostile, type: null }], [[hostile], ["a\nb"]]);
  expect(html).not.toContain("<script");
  expect(html).toContain("&lt;/td&gt;&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt;&amp;&#39;");
  expect(html).toContain('a<br style="mso-data-placement:same-cell">b');
});

test("rows that are shorter than the head are filled up", () => {
  expect(tsvOf(columns, [[1]])).toBe("a\ta\n1\t");
});

test("a table without columns is empty", () => {
  expect(tsvOf([], [])).toBe("");
});
