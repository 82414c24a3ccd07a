import { describe, expect, test } from "vitest";
import { completionAt, takesEnter } from "../../src/composer/completion";
import { OPTIONS_MAX, type Sources } from "../../src/composer/options";
import * as sql from "../../src/composer/sqlCompletion";

function table(name: string, columns: string[], schema?: string) {
  return {
    name,
    kind: "table",
    columns: columns.map((column) => ({ name: column, type: "TEXT" })),
    ...(schema === undefined ? {} : { schema }),
  };
}

const SOURCES: Sources = {
  commands: [
    { name: "/tables", argument: null, purpose: "lists the tables" },
    { name: "/describe", argument: "TABLE", purpose: "shows the columns of a table" },
    { name: "/sql", argument: "SQL", purpose: "runs a statement" },
  ],
  tables: [
    table("orders", ["id", "customer_id", "status"]),
    table("customers", ["id", "name", "City"]),
    table("Order Items", ["id", "product"]),
  ],
  dialect: "sqlite",
  people: [
    { userId: "bob", name: "Bob", status: "online" },
    { userId: "carol", name: "Carol Jones" },
    { userId: "bob-2", name: "bob" },
  ],
  hasDatabase: true,
  sql,
};

/** The text has `|` at its cursor: what is offered, and what accepting the first one makes of it. */
function offered(marked: string, sources: Partial<Sources> = {}, isAsked = false) {
  const cursor = marked.indexOf("|");
  const text = marked.replace("|", "");
  const completion = completionAt({ text, cursor, isAsked }, { ...SOURCES, ...sources });
  const labels = completion?.options.map(({ label }) => label) ?? [];
  const first = completion?.options[0];
  const accepted =
    completion === undefined || first === undefined
      ? undefined
      : text.slice(0, completion.from) + first.insert + text.slice(completion.to);
  return { labels, accepted, completion };
}

describe("commands", () => {
  test.each([
    ["/|", ["/tables", "/describe TABLE", "/sql SQL"], "/tables"],
    ["/de|", ["/describe TABLE"], "/describe "],
    ["/DE|", ["/describe TABLE"], "/describe "],
    ["/describe|", ["/describe TABLE"], "/describe "],
    ["/nothing|", [], undefined],
    ["say /de|", [], undefined],
    ["/ta|bles", [], undefined],
    ["/tables|", [], undefined],
  ])("%s", (marked, labels, accepted) => {
    expect(offered(marked)).toMatchObject({ labels, accepted });
  });

  test("are none where the server names none", () => {
    expect(offered("/|", { commands: [] }).labels).toEqual([]);
  });

  test.each([
    ["/describe |", "/describe orders"],
    ["/describe cu|", "/describe customers"],
    ["/describe ite|", '/describe "Order Items"'],
    ['/describe "Order I|', '/describe "Order Items"'],
  ])("complete their table: %s", (marked, accepted) => {
    expect(offered(marked).accepted).toBe(accepted);
  });

  test.each(["/tables or|", "/describe orders cu|", "/nothing or|"])(
    "take no more than they say: %s",
    (marked) => expect(offered(marked).labels).toEqual([]),
  );

  test("complete a statement behind /sql", () => {
    expect(offered("/sql select * from cust|").accepted).toBe("/sql select * from customers");
  });
});

describe("names in SQL", () => {
  test.each([
    ["SELECT * FROM or|", "SELECT * FROM orders"],
    ["SELECT * FROM items|", 'SELECT * FROM "Order Items"'],
    ['SELECT * FROM "Order |', 'SELECT * FROM "Order Items"'],
    ["SELECT o.| FROM orders o", "SELECT o.id FROM orders o"],
    ["SELECT o.st| FROM orders AS o", "SELECT o.status FROM orders AS o"],
    ["SELECT orders.cu| FROM orders", "SELECT orders.customer_id FROM orders"],
    ["SELECT sta| FROM orders", "SELECT status FROM orders"],
    ["SELECT na|", "SELECT name"],
    ["SELECT * FROM orders WHERE sta|", "SELECT * FROM orders WHERE status"],
    ["SELECT 1; SELECT * FROM cust|", "SELECT 1; SELECT * FROM customers"],
    ["```sql\nSELECT * FROM cu|\n```", "```sql\nSELECT * FROM customers\n```"],
    ["WITH mine AS (SELECT 1) SELECT * FROM mi|", "WITH mine AS (SELECT 1) SELECT * FROM mine"],
  ])("%s", (marked, accepted) => expect(offered(marked).accepted).toBe(accepted));

  test.each([
    "SELECT 'or|'",
    "SELECT 1 -- or|",
    "SELECT 1 /* or|",
    "SELECT 12|",
    "SELECT or|ders",
    "SELECT x.| FROM orders o",
    "SELECT |",
    "which or|",
    "the orders from cu|",
    "talk\n```\ncode\n```\nor|",
  ])("nothing is offered for %s", (marked) => expect(offered(marked).labels).toEqual([]));

  test("are shown without a letter where a key asks for them", () => {
    const { labels } = offered("SELECT * FROM |", {}, true);
    expect(labels).toEqual(["orders", "customers", "Order Items"]);
  });

  test("columns of the statement's own tables come first, then tables, then words", () => {
    expect(offered("SELECT cu| FROM orders").labels).toEqual(["customer_id", "customers"]);
    expect(offered("SELECT cou| FROM orders").labels).toEqual(["count"]);
    expect(offered("SELECT COU| FROM orders").labels).toEqual(["COUNT"]);
  });

  test("are quoted as the dialect wants it", () => {
    expect(offered("SELECT ci| FROM customers", { dialect: "postgres" }).accepted).toBe(
      'SELECT "City" FROM customers',
    );
    expect(offered("SELECT * FROM items|", { dialect: "mysql" }).accepted).toBe(
      "SELECT * FROM `Order Items`",
    );
  });

  test("tables of several schemas are told apart", () => {
    const tables = [table("orders", ["a"], "public"), table("orders", ["b"], "old")];
    const sources = { tables, dialect: "postgres" as const };
    expect(offered("SELECT * FROM ol|", sources).accepted).toBe("SELECT * FROM old.");
    expect(offered("SELECT * FROM old.|", sources).accepted).toBe("SELECT * FROM old.orders");
    expect(offered("SELECT o.| FROM old.orders o", sources).labels).toEqual(["b"]);
    expect(offered("SELECT old.orders.| FROM old.orders", sources).labels).toEqual(["b"]);
  });

  test("are bounded in number", () => {
    const tables = Array.from({ length: 400 }, (_, at) => table(`t${at}`, []));
    expect(offered("SELECT * FROM t|", { tables }).labels).toHaveLength(OPTIONS_MAX);
  });

  test("are none in a text that is too long to be looked at with each key", () => {
    const long = `SELECT '${"x".repeat(20_000)}' FROM or|`;
    expect(offered(long).labels).toEqual([]);
  });

  test("are none before what knows SQL is there", () => {
    expect(offered("SELECT * FROM or|", { sql: undefined }).labels).toEqual([]);
    expect(offered("/describe or|", { sql: undefined }).labels).toEqual([]);
    expect(offered("/de|", { sql: undefined }).labels).toEqual(["/describe TABLE"]);
  });

  test("are none in a room without a database", () => {
    expect(offered("SELECT * FROM or|", { hasDatabase: false }).labels).toEqual([]);
  });
});

describe("people", () => {
  test.each([
    ["hi @ca|", ["Carol Jones"], "hi @Carol Jones "],
    ["@jon|", ["Carol Jones"], "@Carol Jones "],
    ["(@carol jo|", ["Carol Jones"], "(@Carol Jones "],
    ["@|", ["Bob", "Carol Jones", "bob"], "@bob "],
  ])("%s", (marked, labels, accepted) => {
    expect(offered(marked)).toMatchObject({ labels, accepted });
  });

  test("of one name are told apart by their ids", () => {
    const inserts = offered("@bo|").completion?.options.map(({ insert }) => insert);
    expect(inserts).toEqual(["@bob ", "@bob-2 "]);
  });

  test.each(["mail@ca|", "meet @ ca|", "SELECT @ca|", "@nobody|"])(
    "are not meant by %s",
    (marked) => {
      expect(offered(marked).labels).toEqual([]);
    },
  );
});

describe("where the user may be naming something", () => {
  test.each([
    "SELECT * FROM orders o|",
    "SELECT * FROM orders or|",
    "SELECT * FROM orders AS order|",
    "SELECT * FROM orders o JOIN customers c|",
    "SELECT * FROM orders, customers c|",
    "SELECT * FROM old.orders o|",
    'SELECT * FROM "Order Items" o|',
    "SELECT * FROM (SELECT 1) o|",
    "SELECT * FROM generate_series(1, 2) o|",
    "SELECT name c| FROM customers",
    "SELECT c.name c| FROM customers c",
    "SELECT sum(id) or|",
    "SELECT max(id) AS stat|",
    "SELECT count(*) FILTER (WHERE id > 1) c|",
    "SELECT count(*) OVER () c|",
    "SELECT 1 o|",
    "SELECT 'x' o|",
    "SELECT CASE WHEN id THEN 1 END st|",
    "SELECT id, (SELECT max(id) FROM orders) or| FROM orders",
    "DELETE FROM orders o|",
    "UPDATE orders o|",
    "INSERT INTO orders AS o|",
    "INSERT INTO orders VALUES (1) RETURNING id o|",
    "WITH or|",
    "WITH RECURSIVE or|",
    "WITH mine AS (SELECT 1), or|",
  ])("nothing is offered by itself: %s", (marked) => {
    expect(offered(marked).labels).toEqual([]);
  });

  test.each([
    ["SELECT * FROM orders whe|", ["where", "when"]],
    ["SELECT * FROM orders o JOI|", ["JOIN"]],
    ["SELECT id fro|", ["from"]],
    ["SELECT sum(id) OVE|", ["OVER"]],
    ["SELECT CASE WHEN id the|", ["then"]],
    ["SELECT * FROM orders cou|", []],
    ["UPDATE orders SE|", []],
  ])("a word that goes on is offered from its third letter on: %s", (marked, labels) => {
    expect(offered(marked).labels).toEqual(labels);
  });

  test.each([
    ["SELECT DISTINCT na|", "name"],
    ["SELECT DISTINCT ON (id) na|", "name"],
    ["SELECT id + na|", "name"],
    ["SELECT id, na|", "name"],
    ["SELECT sum(na|", "name"],
    ["SELECT CAST(id AS na|", "name"],
    ["SELECT CASE WHEN na|", "name"],
    ["SELECT id FROM orders WHERE id = 1 AND stat|", "status"],
    ["SELECT id FROM orders LEFT JOIN cust|", "customers"],
    ["CREATE TABLE mine AS sel|", "select"],
    ["WITH mine AS (SELECT 1) sel|", "select"],
    ["INSERT INTO orders (id) sel|", "select"],
  ])("but not where a name that is there already stands: %s", (marked, label) => {
    expect(offered(marked).labels).toEqual([label]);
  });

  test("all is shown if a key asks for it", () => {
    expect(offered("SELECT * FROM orders o|", {}, true).labels).toContain("orders");
  });
});

describe("Enter", () => {
  const takes = (marked: string, isChosen: boolean) => {
    const { completion } = offered(marked);
    return completion !== undefined && takesEnter(completion, 0, isChosen);
  };

  test.each([
    ["/de|", true],
    ["/describe|", false],
    ["hi @ca|", true],
    ["hi @Bob|", false],
  ])("behind %s takes what is offered: %s", (marked, expected) => {
    expect(takes(marked, false)).toBe(expected);
  });

  test.each([
    "/describe |",
    "/describe order|",
    "SELECT * FROM order|",
    "SELECT sta| FROM orders",
    "SELECT o.| FROM orders o",
    "SELECT * FROM orders ORDER BY cou|",
  ])("takes no name and no word unless the user has chosen it: %s", (marked) => {
    expect(takes(marked, false)).toBe(false);
    expect(takes(marked, true)).toBe(true);
  });
});
