"""Statements as analysts send them to an SQLite, on the tables of `SCHEMA`; each runs there."""

from typing import Final

SCHEMA: Final = r'''
    CREATE TABLE customers (id INTEGER PRIMARY KEY, name TEXT, city TEXT, email TEXT, born DATE,
        score REAL, is_active BOOLEAN, data TEXT);
    CREATE TABLE orders (id INTEGER PRIMARY KEY, customer_id INTEGER REFERENCES customers (id),
        status TEXT, total NUMERIC, created_at TEXT, shipped_at TEXT, m TEXT, j TEXT);
    CREATE TABLE items (order_id INTEGER, product TEXT, quantity INTEGER, price NUMERIC);
    CREATE TABLE "My Table (2024)" ("Price [EUR]" NUMERIC, "Customer's name" TEXT, "a.b" INTEGER,
        "say ""hi""" TEXT, "C:\path" TEXT, "🛒 cart" INTEGER, "100%" INTEGER, "Größe" INTEGER,
        "order" INTEGER, "x; DROP" INTEGER, "--" INTEGER, "/* no */" INTEGER, "$1" INTEGER,
        "A" INTEGER, " pad " INTEGER, "back`tick" INTEGER, "new
line" INTEGER);
    CREATE TABLE "it's" (a INTEGER);
    CREATE VIRTUAL TABLE documents USING fts5 (title, body);
    INSERT INTO customers VALUES
        (1, 'Ada Berg', 'Berlin', 'ada@example.com', '1990-02-28', 4.5, 1,
            '{"k": "v", "n": 3, "list": [1, 2], "in": {"x": 1}}'),
        (2, 'Bo Chen', 'Köln', 'bo@example.com', '1985-07-01', 3, 0, '{}');
    INSERT INTO orders VALUES
        (1, 1, 'paid', 10.5, '2026-01-02 10:00:00', '2026-01-03', '01', '{"a": [1], "k": 2}'),
        (2, 1, 'open', 99.9, '2026-02-10 12:30:00', NULL, '02', '{"a": [], "tags": ["x", "y"]}'),
        (3, 2, 'paid', 5, '2026-03-10 12:30:00', '2026-03-11', '03', NULL);
    INSERT INTO items VALUES (1, 'cup', 2, 3.5), (1, 'pot', 1, 3.5), (2, 'cup', 10, 9.99);
    INSERT INTO documents VALUES ('One', 'The quick brown fox'), ('Two', 'Lazy dogs');
'''

QUOTED: Final = (
    'SELECT 1 AS "Price [EUR]", 2 AS "Customer\'s name"',
    (
        'SELECT "Price [EUR]", "Customer\'s name", "a.b", "say ""hi""", "C:\\path", "🛒 cart", '
        '"100%" '
        'FROM "My Table (2024)"'
    ),
    (
        'SELECT t."Price [EUR]" * 2, upper(t."say ""hi"""), "x; DROP", "--", "/* no */", '
        '"$1", " pad " '
        'FROM "My Table (2024)" t WHERE t."Customer\'s name" LIKE \'%x%\' ORDER BY t."a.b"'
    ),
    (
        'SELECT sum("Price [EUR]") AS "sum (""EUR"")", "Größe", "order", "A" FROM "My Table '
        '(2024)" '
        'GROUP BY "Größe", "order", "A"'
    ),
)
"""Names of imported files, as SQLite and Postgres both quote them."""
_MONTHS: Final = [f"{year}-{month:02}" for year in (2024, 2025, 2026) for month in range(1, 13)]
_CASES: Final = ", ".join(
    f"round(sum(CASE WHEN strftime('%Y-%m', created_at) = '{month}' THEN coalesce(total, 0) "
    f'ELSE 0 END), 2) AS "{month}"'
    for month in _MONTHS
)
_FILTERED: Final = ", ".join(
    f"sum(total) FILTER (WHERE m = '{number:02}') AS m{number}" for number in range(101)
)
_BY_JSON: Final = ", ".join(f"json_extract(j, '$.m{number}')" for number in range(150))

STATEMENTS: Final = (
    # JSON in any position.
    "SELECT j->'$.a', j->'a', j->>'$.k', j ->> 'k' FROM orders",
    "SELECT json_array_length(j->'$.a') FROM orders",
    "SELECT coalesce(j->'k', j->'$.a', 0) FROM orders",
    "SELECT min(j->'a'), max(o.j->>'k') FROM orders o",
    "SELECT o.id, t.value FROM orders o, json_each(j->'tags') t",
    "SELECT value FROM orders, json_each(orders.j->'tags')",
    "SELECT o.id, t.key, t.value FROM orders o JOIN json_each(o.j, '$.tags') AS t",
    "SELECT o.id, t.fullkey, t.atom FROM orders o, json_tree(o.j) AS t WHERE t.atom IS NOT NULL",
    "SELECT sum(j->>'k'), count(DISTINCT j->>'k'), avg(j->>'$.k') FROM orders",
    "SELECT lower(j->>'k'), upper(j->>'$.tags[0]'), length(j->'a'), typeof(j->'a') FROM orders",
    "SELECT iif(j->>'k' > 1, j->'a', NULL), ifnull(j->'k', 0), nullif(j->>'k', 2) FROM orders",
    "SELECT json_extract(j, '$.a'), json_extract(j, '$.a', '$.k'), json_type(j, '$.a') FROM orders",
    "SELECT json_group_array(j->'k'), json_group_object(id, j->'a') FROM orders",
    "SELECT json_object('a', j->'a', 'b', json_array(1, j->'k')) FROM orders",
    (
        "SELECT json(j), json_valid(j), json_quote('x'), json_remove(j, '$.a'), "
        "json_set(j, '$.z', 1), json_insert(j, '$.z', 1), json_replace(j, '$.a', 1) FROM orders"
    ),
    "SELECT CASE WHEN j->>'k' = 2 THEN j->'a' ELSE j->'tags' END FROM orders",
    (
        "SELECT j->>'k', count(*) FROM orders GROUP BY j->>'k' HAVING max(j->>'k') > 1 ORDER "
        "BY j->>'k'"
    ),
    "SELECT sum(total) OVER (PARTITION BY j->>'k' ORDER BY created_at) FROM orders",
    "SELECT (SELECT count(*) FROM json_each(j->'tags')) FROM orders",
    "SELECT id FROM orders WHERE EXISTS (SELECT 1 FROM json_each(j->'tags') WHERE value = 'x')",
    "SELECT data->'in'->>'x', data->'list'->0, data->>'$.list[#-1]' FROM customers",
    "SELECT group_concat(j->>'k', ', ') FROM orders",
    f"SELECT {_BY_JSON} FROM orders",
    # Dates.
    (
        "SELECT date('now'), time('now'), datetime('now', 'localtime'), julianday('now'), "
        "strftime('%Y-%m-%d %H:%M', 'now'), unixepoch('now'), current_date, current_timestamp"
    ),
    (
        "SELECT strftime('%Y-%m', created_at) AS month, sum(total) FROM orders GROUP BY month "
        "ORDER BY month"
    ),
    (
        "SELECT strftime('%Y', created_at) || '-Q' || ((strftime('%m', created_at) + 2) / 3) AS q, "
        "count(*) FROM orders GROUP BY q"
    ),
    (
        "SELECT date(created_at, 'start of month'), date(created_at, 'weekday 0', '-6 days'), "
        "date(created_at, 'start of month', '+1 month', '-1 day') FROM orders"
    ),
    "SELECT julianday(shipped_at) - julianday(created_at) AS days FROM orders",
    "SELECT CAST(julianday('now') - julianday(born) AS INTEGER) / 365 AS age FROM customers",
    "SELECT * FROM orders WHERE created_at >= date('now', '-3650 days')",
    "SELECT * FROM orders WHERE date(created_at) BETWEEN '2026-01-01' AND '2026-02-28'",
    (
        "WITH RECURSIVE d(day) AS (SELECT date('2026-01-01') UNION ALL SELECT date(day, '+1 day') "
        "FROM d WHERE day < '2026-01-31') SELECT d.day, coalesce(sum(o.total), 0) FROM d "
        "LEFT JOIN orders o ON date(o.created_at) = d.day GROUP BY d.day"
    ),
    "SELECT datetime(1700000000, 'unixepoch'), strftime('%s', 'now'), strftime('%w %j %W', 'now')",
    # Numbers and aggregates.
    "SELECT count(*), sum(total), avg(total), min(total), max(total), total(total) FROM orders",
    (
        "SELECT round(avg(total), 2), abs(-1), sign(-2), ceil(1.2), ceiling(1.2), floor(1.8), "
        "trunc(1.8), mod(7, 3), pow(2, 3), power(2, 3), sqrt(9), exp(1), ln(2), log(100), "
        "log10(10), "
        "log2(8), log(2, 8), pi(), sin(1), cos(1), tan(1), asin(1), acos(1), atan(1), atan2(1, 2), "
        "degrees(1), radians(180), random() IS NOT NULL FROM orders"
    ),
    "SELECT count(*) FILTER (WHERE status = 'paid') * 100.0 / count(*) FROM orders",
    (
        "SELECT group_concat(name), group_concat(DISTINCT city), group_concat(name, '; ') "
        "FROM customers"
    ),
    "SELECT 5 / 2, 5 % 2, 5.0 / 2, 1 << 3, 255 & 15, ~1, 1e3, .5, 0x1F, 1 || 2",
    "SELECT max(1, 2, 3), min(total, 5), sum(quantity * price) AS revenue FROM orders, items",
    (
        "SELECT avg(total) FROM (SELECT total FROM orders ORDER BY total LIMIT 2 - "
        "(SELECT count(*) FROM orders) % 2 OFFSET (SELECT (count(*) - 1) / 2 FROM orders))"
    ),
    (
        "SELECT CAST(total AS INTEGER), CAST(id AS TEXT), CAST('1.5' AS REAL), CAST(1 AS NUMERIC), "
        "CAST('x' AS BLOB), CAST(total AS DECIMAL(10, 2)) FROM orders"
    ),
    # Pivots.
    f"SELECT status, {_CASES} FROM orders GROUP BY status",
    f"SELECT {_FILTERED} FROM orders",
    "SELECT "
    + ", ".join(f"coalesce(sum(iif(m = '{month}', total, 0)), 0)" for month in _MONTHS)
    + " FROM orders",
    "SELECT "
    + ", ".join(f"printf('%.2f', sum(total) * {n})" for n in range(1, 80))
    + " FROM orders",
    "SELECT "
    + ", ".join(f"replace(trim(lower(name)), '{n}', '')" for n in range(60))
    + " FROM customers",
    # Windows.
    (
        "SELECT id, row_number() OVER (ORDER BY total DESC), rank() OVER w, dense_rank() OVER w, "
        "percent_rank() OVER w, cume_dist() OVER w, ntile(4) OVER w FROM orders "
        "WINDOW w AS (PARTITION BY status ORDER BY total)"
    ),
    (
        "SELECT id, lag(total) OVER (ORDER BY created_at), lead(total, 2, 0) OVER (ORDER BY id), "
        "first_value(total) OVER (ORDER BY id), last_value(total) OVER (ORDER BY id), "
        "nth_value(total, 2) OVER (ORDER BY id) FROM orders"
    ),
    (
        "SELECT id, sum(total) OVER (ORDER BY created_at ROWS BETWEEN 6 PRECEDING AND CURRENT "
        "ROW), "
        "sum(total) OVER (ORDER BY id GROUPS BETWEEN 1 PRECEDING AND 1 FOLLOWING EXCLUDE TIES) "
        "FROM orders"
    ),
    (
        "SELECT * FROM (SELECT o.*, row_number() OVER (PARTITION BY customer_id ORDER BY "
        "total DESC) "
        "AS r FROM orders o) WHERE r <= 3"
    ),
    "SELECT sum(total) FILTER (WHERE status = 'paid') OVER (ORDER BY id) FROM orders",
    # Joins, subqueries and CTEs.
    (
        "SELECT c.name, sum(o.total) FROM customers c LEFT JOIN orders o ON o.customer_id = c.id "
        "GROUP BY c.name ORDER BY 2 DESC NULLS LAST LIMIT 10 OFFSET 0"
    ),
    "SELECT * FROM customers c WHERE EXISTS (SELECT 1 FROM orders o WHERE o.customer_id = c.id)",
    "SELECT * FROM customers WHERE id NOT IN (SELECT customer_id FROM orders)",
    (
        "WITH m AS (SELECT strftime('%Y-%m', created_at) AS month, sum(total) AS total FROM orders "
        "GROUP BY 1) SELECT month, total, total - lag(total) OVER (ORDER BY month) FROM m"
    ),
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10) SELECT i FROM n",
    (
        "WITH a AS MATERIALIZED (SELECT 1 AS x), b AS NOT MATERIALIZED (SELECT 2 AS x) "
        "SELECT a.x, b.x FROM a, b"
    ),
    "WITH a AS (SELECT id FROM orders) SELECT count(*) FROM a",
    "(SELECT 1)",
    "((SELECT id FROM orders ORDER BY id LIMIT 1));",
    "( SELECT 1 AS a /* one */ ) -- done",
    "SELECT (SELECT max(total) FROM orders), (1)",
    "SELECT id FROM orders UNION SELECT id FROM customers EXCEPT SELECT 3 INTERSECT SELECT 1",
    "SELECT * FROM (SELECT id FROM orders ORDER BY total DESC LIMIT 1) UNION ALL SELECT 5",
    "SELECT * FROM orders NATURAL JOIN customers",
    "SELECT * FROM orders o FULL OUTER JOIN customers c ON c.id = o.customer_id",
    "SELECT * FROM orders JOIN items ON order_id = orders.id CROSS JOIN customers",
    "SELECT * FROM orders JOIN customers USING (id)",
    "VALUES (1, 'one'), (2, 'two')",
    "SELECT column1, column2 FROM (VALUES (1, 'a'), (2, 'b'))",
    "SELECT * FROM orders LIMIT 5, 10",
    "SELECT id FROM orders WHERE (customer_id, status) IN (SELECT 1, 'paid')",
    (
        "SELECT (id, status) = (1, 'paid'), id IS 1, id IS NOT 2, id IS NOT DISTINCT FROM 1, "
        "id IS DISTINCT FROM 2, shipped_at ISNULL, shipped_at NOTNULL FROM orders"
    ),
    "SELECT * FROM orders NOT INDEXED",
    "SELECT rowid, oid, _rowid_, * FROM orders",
    # Texts.
    (
        "SELECT upper(name), lower(name), length(name), trim(name), ltrim(name), rtrim(name), "
        "trim(name, 'A'), replace(name, 'a', 'b'), substr(name, 1, 3), substring(name, 2), "
        "instr(name, ' '), name || ' ' || city, printf('%s (%d)', name, id), format('%05d', id), "
        "hex(name), quote(name), unicode(name), char(65, 66) FROM customers"
    ),
    (
        "SELECT substr(email, instr(email, '@') + 1) AS domain, count(*) FROM customers GROUP "
        "BY domain"
    ),
    (
        "SELECT name FROM customers WHERE name LIKE 'A%' OR name GLOB 'B*' OR name NOT LIKE '%!%' "
        "ESCAPE '!'"
    ),
    "SELECT name COLLATE NOCASE FROM customers ORDER BY name COLLATE NOCASE DESC",
    (
        "SELECT likely(id = 1), unlikely(id = 2), likelihood(id = 3, 0.5), typeof(total), "
        "zeroblob(3), x'0aFF', randomblob(2) IS NOT NULL, sqlite_version() FROM orders"
    ),
    "SELECT 'it''s' AS a, 'a:b' AS b, 'LIKE ''%:ok%''' AS c, '100%' AS d, 'C:\\' AS e",
    (
        "SELECT title, bm25(documents), highlight(documents, 1, '<b>', '</b>'), "
        "snippet(documents, 1, '', '', '…', 5) FROM documents WHERE documents MATCH 'quick' "
        "ORDER BY rank"
    ),
    "SELECT * FROM documents WHERE body MATCH 'quick OR dogs' ORDER BY bm25(documents)",
    # The database.
    "SELECT name, sql FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'",
    "SELECT name FROM sqlite_schema ORDER BY name",
    # Names that have to be quoted.
    *QUOTED,
    "SELECT [Customer's name], [a.b] FROM [My Table (2024)]",
    "SELECT `Customer's name`, `Price [EUR]`, `back``tick` FROM `My Table (2024)`",
    'SELECT "back`tick", "new\nline" FROM main."My Table (2024)"',
    'SELECT "it\'s".a FROM "it\'s"',
    "SELECT a FROM [it's]",
    'WITH "x\'y" AS (SELECT 1 AS "x""y") SELECT "x\'y"."x""y" FROM "x\'y"',
    'SELECT main."My Table (2024)"."🛒 cart" FROM main."My Table (2024)"',
    "SELECT größe.id AS größe FROM orders AS größe",
    'SELECT total AS "" FROM orders',
    # What programs write: long lists and long unions.
    " UNION ALL ".join(f"SELECT {number} AS n" for number in range(500)),
    f"SELECT id FROM orders WHERE {' OR '.join(f'id = {number}' for number in range(900))}",
    # Comments, cases and odd layout.
    "select\n\tid, -- the id\n\ttotal /* in EUR */\nfrom\n\torders\nwhere\n\ttotal > 1\n;",
    (
        "SELECT CASE status WHEN 'paid' THEN 1 WHEN 'open' THEN 2 ELSE 0 END, "
        "CASE WHEN total > 50 THEN 'big' END FROM orders"
    ),
    "SELECT id AS value, total AS key, status AS type, m AS name, j AS date FROM orders",
    "SELECT 1 = 1, 1 == 1, 1 <> 2, 1 != 2, NOT 1 = 2, true, false, NULL",
    "SELECT DISTINCT status, customer_id FROM orders ORDER BY 1, 2 DESC",
    "SELECT status, count(*) AS n FROM orders GROUP BY status HAVING n > 1 ORDER BY n DESC",
    (
        "SELECT id FROM orders WHERE total BETWEEN 5 AND 20 AND status IN ('paid', 'open') "
        "AND shipped_at IS NOT NULL AND NOT (customer_id = 2 OR id > 100)"
    ),
)
