import { describe, expect, test } from "vitest";
import { ROWS_MAX, rowsOf, statementName } from "../../src/composer/schemaRows";

const TABLES = [
  { name: "Orders", kind: "table", schema: "shop", columns: [column("id"), column("status")] },
  { name: "customers", kind: "view", columns: [column("id"), column("City")] },
];

function column(name: string) {
  return { name, type: null };
}

function shown(filter: string, opened: string[] = []): string[] {
  return rowsOf(TABLES, filter, new Set(opened)).map((row) =>
    row.kind === "table" ? `${row.isOpen ? "-" : "+"} ${row.table.name}` : `    ${row.column.name}`,
  );
}

describe("the rows of a schema", () => {
  test("are tables, and the columns of those that are open", () => {
    expect(shown("")).toEqual(["+ Orders", "+ customers"]);
    const key = rowsOf(TABLES, "", new Set())[1]?.key ?? "";
    expect(shown("", [key])).toEqual(["+ Orders", "- customers", "    id", "    City"]);
  });

  test("are narrowed by the names of tables and of columns", () => {
    expect(shown("cit")).toEqual(["- customers", "    City"]);
    expect(shown("ORD")).toEqual(["+ Orders"]);
    expect(shown("shop.o")).toEqual(["+ Orders"]);
    expect(shown(" id ")).toEqual(["- Orders", "    id", "- customers", "    id"]);
    expect(shown("nothing")).toEqual([]);
  });

  test("are bounded; one more says that there are more", () => {
    const tables = Array.from({ length: ROWS_MAX + 9 }, (_, at) => ({
      name: `t${at}`,
      kind: "table",
      columns: [],
    }));
    expect(rowsOf(tables, "", new Set())).toHaveLength(ROWS_MAX + 1);
  });

  test("say how a statement names them", () => {
    const rows = rowsOf(TABLES, "city", new Set());
    expect(rows.map((row) => statementName(row, "postgres"))).toEqual(["customers", '"City"']);
    const [orders] = rowsOf(TABLES, "orders", new Set());
    expect(orders && statementName(orders, "postgres")).toBe('shop."Orders"');
  });
});
