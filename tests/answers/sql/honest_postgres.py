"""Statements as analysts send them to a Postgres, on the tables of `SCHEMA`; each runs there."""

from typing import Final

from tests.answers.sql.honest_sqlite import QUOTED

SCHEMA: Final = r'''
    CREATE TABLE customers (id int PRIMARY KEY, name text, city text, email text, born date,
        score numeric(8, 2), tags text[], is_active boolean, data jsonb, address inet);
    CREATE TABLE orders (id int PRIMARY KEY, customer_id int REFERENCES customers (id), status text,
        total numeric(10, 2), created_at timestamptz, shipped_at timestamp, data jsonb, raw json,
        during tstzrange);
    CREATE TABLE items (order_id int, product text, quantity int, price numeric(10, 2));
    CREATE TABLE "My Table (2024)" ("Price [EUR]" numeric, "Customer's name" text, "a.b" int,
        "say ""hi""" text, "C:\path" text, "🛒 cart" int, "100%" int, "Größe" int, "order" int,
        "x; DROP" int, "--" int, "/* no */" int, "$1" int, "A" int, " pad " int);
    CREATE TABLE documents (id int, title text, body text, search tsvector);
    INSERT INTO customers VALUES
        (1, 'Ada Berg', 'Berlin', 'ada@example.com', '1990-02-28', 4.5, '{a,b}', true,
            '{"k": "v", "n": 3, "list": [1, 2], "in": {"x": 1}}', '10.0.0.7'),
        (2, 'Bo Chen', 'Köln', 'bo@example.com', '1985-07-01', 3, '{b}', false, '{}', NULL);
    INSERT INTO orders VALUES
        (1, 1, 'paid', 10.5, '2026-01-02 10:00+00', '2026-01-03', '{"a": 1, "tags": ["x", "y"]}',
            '{"a": [1, 2]}', '[2026-01-01,2026-02-01)'),
        (2, 1, 'open', 99.9, '2026-02-10 12:30+00', NULL, '{"a": 2, "tags": []}', '{"a": []}',
            '[2026-02-01,2026-03-01)'),
        (3, 2, 'paid', 5, '2026-03-10 12:30+00', '2026-03-11', NULL, NULL, NULL);
    INSERT INTO items VALUES (1, 'cup', 2, 3.5), (1, 'pot', 1, 3.5), (2, 'cup', 10, 9.99);
    INSERT INTO documents VALUES (1, 'One', 'The quick brown fox', to_tsvector('The quick fox'));
'''

_MONTHS: Final = [
    (f"{year}-{month:02}-01", f"{year} {month:02}")
    for year in (2024, 2025, 2026)
    for month in range(1, 13)
]
_FILTERED: Final = ", ".join(
    f"sum(total) FILTER (WHERE date_trunc('month', created_at) = date '{day}') AS \"{name}\""
    for day, name in _MONTHS
)
_CASES: Final = ", ".join(
    f"round(sum(CASE WHEN to_char(created_at, 'YYYY MM') = '{name}' THEN coalesce(total, 0) "
    f'ELSE 0 END), 2) AS "{name}"'
    for _, name in _MONTHS
)

STATEMENTS: Final = (
    # JSON in any position.
    "SELECT data->'a' FROM orders",
    "SELECT data->>'a' AS a, data -> 'tags' ->> 0 AS first FROM orders",
    "SELECT json_array_length(raw->'a') FROM orders",
    "SELECT jsonb_array_length(data->'tags') FROM orders",
    "SELECT coalesce(data->'k', '{}'::jsonb) FROM customers",
    "SELECT coalesce(data->>'k', 'none') FROM customers",
    "SELECT min(data->>'a'), max(o.data->>'a') FROM orders o",
    "SELECT count(DISTINCT data->'a') FROM orders",
    "SELECT sum((data->>'a')::int) FROM orders",
    "SELECT (data->>'a')::numeric + 1 FROM orders",
    "SELECT avg((data->>'a')::numeric) FILTER (WHERE data->>'a' IS NOT NULL) FROM orders",
    "SELECT jsonb_typeof(data->'tags'), jsonb_pretty(data->'tags') FROM orders",
    "SELECT json_typeof(raw->'a') FROM orders",
    "SELECT t.tag FROM orders o, jsonb_array_elements_text(o.data->'tags') AS t(tag)",
    "SELECT o.id, e.value FROM orders o CROSS JOIN LATERAL json_array_elements(o.raw->'a') e",
    (
        "SELECT o.id, t.value FROM orders o LEFT JOIN LATERAL "
        "jsonb_array_elements_text(o.data->'tags') t ON true"
    ),
    "SELECT e.key, e.value FROM customers c, jsonb_each(c.data) e",
    'SELECT value FROM jsonb_each_text(\'{"a":1,"b":2}\')',
    "SELECT jsonb_object_keys(data) FROM customers",
    "SELECT lower(data->>'k'), upper(data#>>'{in,x}') FROM customers",
    "SELECT greatest(length(data->>'k'), 1), concat(data->>'k', '-', id) FROM customers",
    "SELECT nullif(data->>'k', ''), to_jsonb(data->'k') FROM customers",
    "SELECT * FROM customers WHERE data->>'k' = 'v' AND (data->'n')::int > 2",
    'SELECT * FROM customers WHERE data @> \'{"k": "v"}\'',
    "SELECT * FROM customers WHERE data ? 'k' AND data ?| ARRAY['k'] AND data ?& ARRAY['k', 'n']",
    "SELECT data #> '{list,0}', data - 'k', data || '{\"z\": 1}'::jsonb FROM customers",
    "SELECT data->'list'->0, data->'list'->-1, data->'in'->'x' FROM customers",
    "SELECT string_agg(data->>'a', ', ' ORDER BY data->>'a') FROM orders",
    "SELECT array_agg(data->'a'), jsonb_agg(data->'a'), json_agg(raw->'a') FROM orders",
    "SELECT jsonb_object_agg(id, data->'a') FROM orders",
    "SELECT jsonb_build_object('id', id, 'k', data->'k') FROM customers",
    "SELECT json_build_object('a', raw->'a', 'b', json_build_array(1, 2)) FROM orders",
    "SELECT row_to_json(o), to_json(o.total) FROM orders o",
    "SELECT CASE WHEN data->>'a' = '1' THEN data->'tags' ELSE data->'a' END FROM orders",
    "SELECT sum(total) OVER (PARTITION BY data->>'a' ORDER BY created_at) FROM orders",
    "SELECT data->>'a', count(*) FROM orders GROUP BY data->>'a' ORDER BY data->>'a'",
    "SELECT jsonb_path_query(data, '$.tags[*]') FROM orders",
    (
        "SELECT jsonb_path_exists(data, '$.a ? (@ > 1)'), jsonb_path_query_array(data, '$.*') "
        "FROM orders"
    ),
    "SELECT jsonb_path_query_first(data, '$.a'), jsonb_path_match(data, '$.a > 0') FROM orders",
    "SELECT jsonb_set(data, '{a}', '5'), jsonb_insert(data, '{z}', '5') FROM orders",
    "SELECT jsonb_strip_nulls(data), data #- '{a}' FROM orders",
    'SELECT x.a, x.b FROM jsonb_to_recordset(\'[{"a":1,"b":"z"}]\') AS x(a int, b text)',
    "SELECT x.a FROM json_to_record('{\"a\":1}') AS x(a int)",
    "SELECT json_extract_path_text(raw, 'a'), jsonb_extract_path(data, 'a') FROM orders",
    "SELECT array_length(ARRAY(SELECT jsonb_array_elements_text(data->'tags')), 1) FROM orders",
    # Dates and times.
    "SELECT now(), current_date, current_timestamp, localtimestamp, current_time, localtime",
    "SELECT date_trunc('month', created_at) AS month, sum(total) FROM orders GROUP BY 1 ORDER BY 1",
    "SELECT date_trunc('week', created_at)::date, count(*) FROM orders GROUP BY 1",
    "SELECT date_part('year', created_at), extract(month FROM created_at) FROM orders",
    "SELECT extract(epoch FROM (shipped_at - created_at::timestamp)) / 3600 FROM orders",
    (
        "SELECT extract(dow FROM created_at), extract(isodow FROM created_at), "
        "extract(quarter FROM created_at), extract(week FROM created_at) FROM orders"
    ),
    "SELECT age(now(), born), age(born), date_part('year', age(born)) FROM customers",
    (
        "SELECT to_char(created_at, 'YYYY-MM'), to_char(total, 'FM999,990.00'), "
        "to_char(created_at, 'Day DD Mon') FROM orders"
    ),
    "SELECT to_date('2026-01-31', 'YYYY-MM-DD'), to_timestamp('2026', 'YYYY'), to_timestamp(0)",
    "SELECT created_at AT TIME ZONE 'Europe/Berlin', timezone('UTC', created_at) FROM orders",
    "SELECT * FROM orders WHERE created_at >= now() - interval '3650 days'",
    "SELECT * FROM orders WHERE created_at BETWEEN '2026-01-01' AND '2026-02-01'::date",
    "SELECT * FROM orders WHERE created_at::date = date '2026-01-02'",
    "SELECT * FROM orders WHERE created_at > timestamp '2026-01-01 00:00' - interval '1' month",
    "SELECT current_date - 7, current_date + interval '1 month - 1 day'",
    (
        "SELECT make_date(2026, 1, 31), make_interval(days => 10), make_time(1, 2, 3.5), "
        "make_timestamp(2026, 1, 1, 0, 0, 0), make_timestamptz(2026, 1, 1, 0, 0, 0)"
    ),
    "SELECT date_bin('15 minutes', created_at, timestamptz '2001-01-01') FROM orders",
    "SELECT d::date FROM generate_series('2026-01-01'::date, '2026-01-31', '1 day') AS d",
    (
        "SELECT d.day, coalesce(sum(o.total), 0) FROM generate_series(date '2026-01-01', "
        "date '2026-01-31', interval '1 day') AS d(day) LEFT JOIN orders o "
        "ON o.created_at::date = d.day::date GROUP BY d.day ORDER BY d.day"
    ),
    (
        "SELECT justify_days(interval '40 days'), justify_hours(interval '30 hours'), "
        "justify_interval(interval '40 days'), isfinite(current_date)"
    ),
    "SELECT clock_timestamp() > statement_timestamp(), transaction_timestamp(), timeofday()",
    "SELECT (date '2026-01-01', date '2026-02-01') OVERLAPS (date '2026-01-15', interval '1 day')",
    "SELECT interval '1 year 2 months' * 2, '2 hours'::interval, interval '90' minute",
    "SELECT extract(days FROM now() - created_at)::int FROM orders",
    "SELECT to_char(interval '15h 2m', 'HH24:MI'), date '2026-03-01' - date '2026-02-01'",
    # Numbers and aggregates.
    "SELECT count(*), sum(total), avg(total), min(total), max(total) FROM orders",
    (
        "SELECT round(avg(total), 2), trunc(total), ceil(total), floor(total), abs(-total), "
        "sign(total), mod(id, 2), power(id, 2), sqrt(id), cbrt(id), exp(1), ln(2), log(100), "
        "log(2, 8), div(7, 2), degrees(1), radians(180), pi() FROM orders GROUP BY id, total"
    ),
    "SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY total) AS median FROM orders",
    "SELECT percentile_cont(ARRAY[0.25, 0.5, 0.75]) WITHIN GROUP (ORDER BY total) FROM orders",
    "SELECT percentile_disc(0.9) WITHIN GROUP (ORDER BY total DESC) FROM orders",
    "SELECT mode() WITHIN GROUP (ORDER BY status) FROM orders",
    (
        "SELECT stddev(total), stddev_pop(total), stddev_samp(total), variance(total), "
        "var_pop(total), var_samp(total) FROM orders"
    ),
    (
        "SELECT corr(id, total), covar_pop(id, total), covar_samp(id, total), "
        "regr_slope(total, id), regr_intercept(total, id), regr_r2(total, id), "
        "regr_count(total, id), "
        "regr_avgx(total, id), regr_avgy(total, id), regr_sxx(total, id), regr_sxy(total, id), "
        "regr_syy(total, id) FROM orders"
    ),
    (
        "SELECT bool_and(is_active), bool_or(is_active), every(is_active), bit_and(id), "
        "bit_or(id), "
        "bit_xor(id) FROM customers"
    ),
    (
        "SELECT string_agg(name, ', '), string_agg(DISTINCT city, '; '), "
        "string_agg(name, ', ' ORDER BY name DESC) FROM customers"
    ),
    "SELECT array_agg(name ORDER BY id), array_agg(DISTINCT city) FROM customers",
    "SELECT width_bucket(total, 0, 100, 10), count(*) FROM orders GROUP BY 1 ORDER BY 1",
    "SELECT width_bucket(total, ARRAY[0, 10, 100]::numeric[]) FROM orders",
    "SELECT greatest(1, 2, 3), least(id, 2) FROM orders",
    "SELECT num_nulls(shipped_at, total), num_nonnulls(shipped_at) FROM orders",
    (
        "SELECT gcd(12, 18), lcm(4, 6), factorial(5), random() < 2, scale(1.50), min_scale(1.50), "
        "trim_scale(1.50)"
    ),
    "SELECT count(*) FILTER (WHERE status = 'paid') * 100.0 / nullif(count(*), 0) FROM orders",
    "SELECT total::money, total::float8, total::int, total::text, 5 / 2, 5 % 2, 2 ^ 3 FROM orders",
    "SELECT 1e3, .5, 0.1 FROM orders",
    (
        "SELECT sinh(1), cosh(1), tanh(1), asinh(1), acosh(1), atanh(0.5), sind(30), cosd(60), "
        "tand(45), asind(0.5), acosd(0.5), atand(1), atan2(1, 2), cot(1), cotd(45), atan2d(1, 1)"
    ),
    # Grouping.
    (
        "SELECT city, status, sum(total) FROM customers c JOIN orders o ON o.customer_id = c.id "
        "GROUP BY GROUPING SETS ((city, status), (city), ())"
    ),
    (
        "SELECT city, status, sum(total), grouping(city) FROM customers c JOIN orders o "
        "ON o.customer_id = c.id GROUP BY ROLLUP (city, status)"
    ),
    (
        "SELECT city, status, count(*) FROM customers c, orders o WHERE o.customer_id = c.id "
        "GROUP BY CUBE (city, status) HAVING count(*) > 0"
    ),
    (
        "SELECT status, date_trunc('month', created_at) FROM orders "
        "GROUP BY status, ROLLUP (date_trunc('month', created_at))"
    ),
    (
        "SELECT DISTINCT ON (customer_id) customer_id, total FROM orders "
        "ORDER BY customer_id, created_at DESC"
    ),
    "SELECT DISTINCT status FROM orders ORDER BY status NULLS LAST",
    "SELECT status, count(*) AS n FROM orders GROUP BY status HAVING count(*) > 1 ORDER BY n DESC",
    f"SELECT status, {_FILTERED} FROM orders GROUP BY status",
    f"SELECT customer_id, {_CASES} FROM orders GROUP BY customer_id",
    "SELECT "
    + ", ".join(f"sum(total) FILTER (WHERE status = '{n}') AS s{n}" for n in range(101))
    + " FROM orders",
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
        "avg(total) OVER (ORDER BY created_at RANGE BETWEEN interval '7 days' PRECEDING "
        "AND CURRENT ROW) FROM orders"
    ),
    (
        "SELECT id, total - lag(total) OVER (PARTITION BY customer_id ORDER BY id) AS change "
        "FROM orders"
    ),
    "SELECT id, count(*) OVER (), sum(total) OVER (PARTITION BY status) AS s FROM orders",
    (
        "SELECT id, sum(total) OVER (ORDER BY id GROUPS BETWEEN 1 PRECEDING AND 1 FOLLOWING "
        "EXCLUDE CURRENT ROW) FROM orders"
    ),
    (
        "SELECT * FROM (SELECT o.*, row_number() OVER (PARTITION BY customer_id ORDER BY "
        "total DESC) "
        "AS r FROM orders o) ranked WHERE r <= 3"
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
        "SELECT c.name, l.total FROM customers c CROSS JOIN LATERAL (SELECT total FROM orders o "
        "WHERE o.customer_id = c.id ORDER BY total DESC LIMIT 1) l"
    ),
    (
        "WITH m AS (SELECT date_trunc('month', created_at) AS month, sum(total) AS total FROM "
        "orders "
        "GROUP BY 1) SELECT month, total, total - lag(total) OVER (ORDER BY month) FROM m"
    ),
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10) SELECT i FROM n",
    (
        "WITH a AS MATERIALIZED (SELECT 1 AS x), b AS NOT MATERIALIZED (SELECT 2 AS x) "
        "SELECT a.x, b.x FROM a, b"
    ),
    "(SELECT 1)",
    "((SELECT 1 AS a))",
    "(SELECT id FROM orders ORDER BY total DESC LIMIT 1) UNION ALL (SELECT id FROM customers)",
    "SELECT id FROM orders UNION SELECT id FROM customers EXCEPT SELECT 3 INTERSECT SELECT 1",
    "SELECT * FROM orders NATURAL JOIN customers",
    "SELECT * FROM orders o FULL JOIN customers c USING (id)",
    "SELECT * FROM (VALUES (1, 'a'), (2, 'b')) AS v(n, t) WHERE v.n > 1",
    "VALUES (1, 'one'), (2, 'two')",
    "SELECT * FROM orders TABLESAMPLE BERNOULLI (50)",
    "SELECT count(*) FROM orders o TABLESAMPLE SYSTEM (10) REPEATABLE (42)",
    "SELECT ARRAY(SELECT id FROM orders ORDER BY id), (SELECT max(total) FROM orders)",
    "SELECT * FROM orders FETCH FIRST 2 ROWS ONLY",
    "SELECT * FROM orders ORDER BY total DESC FETCH FIRST 1 ROW WITH TIES",
    "SELECT * FROM ONLY orders",
    "SELECT o FROM orders o",
    "SELECT o.* FROM orders o",
    "SELECT id FROM orders WHERE total > ALL (SELECT price FROM items WHERE order_id = 1)",
    "SELECT id FROM orders WHERE status = ANY ('{paid,open}')",
    "SELECT id FROM orders WHERE (customer_id, status) IN (SELECT 1, 'paid')",
    "SELECT unnest(tags), unnest(ARRAY[1, 2]) FROM customers",
    "SELECT c.id, t.tag, t.n FROM customers c, unnest(c.tags) WITH ORDINALITY AS t(tag, n)",
    "SELECT generate_series(1, 3), generate_subscripts(ARRAY[5, 6], 1)",
    "SELECT x.a, x.b FROM ROWS FROM (generate_series(1, 2), generate_series(1, 3)) AS x(a, b)",
    # Texts.
    (
        "SELECT upper(name), lower(name), initcap(name), length(name), reverse(name), "
        "left(name, 3), "
        "right(name, 3), lpad(id::text, 5, '0'), rpad(name, 20), trim(name), ltrim(name), "
        "rtrim(name), "
        "btrim(name, ' '), repeat('ab', 3), replace(name, 'a', 'b'), translate(name, 'abc', "
        "'xyz'), "
        "split_part(email, '@', 2), strpos(name, 'a'), position('a' IN name), "
        "substring(name, 1, 3), substr(name, 2), substring(name FROM '^A.*'), "
        "overlay(name PLACING 'x' FROM 1 FOR 1), concat(name, ' ', city), concat_ws(', ', "
        "name, city), "
        "format('%s (%s)', name, city), quote_ident(name), quote_literal(name), "
        "quote_nullable(NULL), "
        "md5(name), ascii(name), chr(65), char_length(name), octet_length(name), bit_length(name), "
        "to_hex(255), starts_with(name, 'A'), encode('a'::bytea, 'hex'), encode(sha256('a'), "
        "'base64'), "
        "decode('YQ==', 'base64'), convert_from('a'::bytea, 'UTF8'), normalize(name, NFC), "
        "string_to_array('a,b', ','), array_to_string(tags, ', '), parse_ident('a.b') FROM "
        "customers"
    ),
    "SELECT name FROM customers WHERE name ~ '^A' OR name ~* 'b' OR name !~ 'x' OR name !~* 'y'",
    "SELECT name FROM customers WHERE name LIKE 'A%' AND name NOT ILIKE '%z%' ESCAPE '!'",
    "SELECT name FROM customers WHERE name SIMILAR TO '(A|B)%' AND city LIKE ANY (ARRAY['B%'])",
    (
        "SELECT regexp_replace(name, '\\s+', ' ', 'g'), regexp_match(email, '@(.*)'), "
        "regexp_matches(email, '[a-z]+', 'g'), regexp_split_to_array(name, ' '), "
        "regexp_split_to_table(name, ' ') FROM customers"
    ),
    (
        "SELECT regexp_count(name, 'a'), regexp_instr(name, 'a'), regexp_like(name, 'a'), "
        "regexp_substr(name, 'a') FROM customers"
    ),
    (
        "SELECT string_to_table('a,b', ','), 'a' || 'b' || 1, E'a\\tb', $$it's$$, U.name "
        "FROM customers U"
    ),
    'SELECT name COLLATE "C" FROM customers ORDER BY name COLLATE "C"',
    "SELECT 'it''s' AS a, 'a:b' AS b, 'LIKE ''%:ok%''' AS c, '100%' AS d",
    # Text search.
    (
        "SELECT title, ts_rank(search, q) FROM documents, plainto_tsquery('quick') AS q "
        "WHERE search @@ q"
    ),
    (
        "SELECT ts_headline(body, to_tsquery('fox')), to_tsvector('english', body) @@ "
        "websearch_to_tsquery('\"quick brown\"'), phraseto_tsquery('brown fox') FROM documents"
    ),
    (
        "SELECT ts_rank_cd(setweight(to_tsvector(title), 'A') || search, to_tsquery('fox & "
        "quick')), "
        "numnode(to_tsquery('a & b')), querytree(to_tsquery('a')), strip(search), length(search), "
        "tsvector_to_array(search) FROM documents"
    ),
    (
        "SELECT ts_delete(search, 'fox'), ts_filter(search, '{a}'), array_to_tsvector(ARRAY['a']), "
        "tsquery_phrase(to_tsquery('a'), to_tsquery('b')), "
        "json_to_tsvector('english', '{\"a\": \"b\"}', '[\"string\"]') FROM documents"
    ),
    # Ranges, arrays and addresses.
    (
        "SELECT lower(during), upper(during), isempty(during), lower_inc(during), "
        "upper_inf(during) "
        "FROM orders"
    ),
    (
        "SELECT id FROM orders WHERE during @> '2026-01-15'::timestamptz AND during && "
        "tstzrange('2026-01-01', '2026-02-01', '[)')"
    ),
    (
        "SELECT int4range(1, 10) * int4range(5, 20), int8range(1, 2), numrange(1, 2), "
        "daterange('2026-01-01', '2026-02-01', '[]'), tsrange(NULL, now()::timestamp), "
        "range_merge(int4range(1, 2), int4range(5, 6)), int4range(1, 3) -|- int4range(3, 5), "
        "'[1,3]'::int4range << '[5,6]'::int4range"
    ),
    (
        "SELECT int4multirange(int4range(1, 2)), datemultirange(), range_agg(during), "
        "range_intersect_agg(during), multirange(int4range(1, 2)) FROM orders"
    ),
    (
        "SELECT tags[1], tags[1:2], array_length(tags, 1), cardinality(tags), tags @> ARRAY['a'], "
        "tags && ARRAY['b'], 'a' = ANY (tags), array_append(tags, 'c'), array_prepend('z', tags), "
        "array_cat(tags, tags), array_remove(tags, 'a'), array_replace(tags, 'a', 'b'), "
        "array_position(tags, 'a'), array_positions(tags, 'a'), array_dims(tags), "
        "array_ndims(tags), "
        "array_lower(tags, 1), array_upper(tags, 1), trim_array(tags, 1) "
        "FROM customers"
    ),
    "SELECT ARRAY[1, 2] || 3, ARRAY[[1, 2], [3, 4]], '{1,2}'::int[], ARRAY[]::text[]",
    (
        "SELECT host(address), masklen(address), family(address), network(address), "
        "broadcast(address), "
        "address << '10.0.0.0/8'::inet, abbrev(address), netmask(address), hostmask(address), "
        "set_masklen(address, 16) FROM customers"
    ),
    "SELECT gen_random_uuid() IS NOT NULL, '00000000-0000-0000-0000-000000000001'::uuid",
    "SELECT point(1, 2) <-> point(4, 6), area(box(point(1, 1), point(0, 0)))",
    # The server.
    (
        "SELECT version(), current_database(), current_schema(), current_schema, current_user, "
        "session_user, current_catalog, current_role, user"
    ),
    (
        "SELECT current_schemas(false), pg_backend_pid() > 0, pg_postmaster_start_time() < now(), "
        "pg_is_in_recovery()"
    ),
    (
        "SELECT current_setting('TimeZone'), current_setting('server_version'), "
        "current_setting('statement_timeout', true), current_setting('server_version_num')::int"
    ),
    (
        "SELECT pg_size_pretty(pg_total_relation_size('orders')), pg_relation_size('orders'), "
        "pg_table_size('orders'), pg_indexes_size('orders'), pg_size_bytes('1 MB'), "
        "pg_column_size(total) FROM orders"
    ),
    "SELECT pg_size_pretty(pg_database_size(current_database()))",
    (
        "SELECT relname, pg_size_pretty(pg_total_relation_size(oid)) FROM pg_class "
        "WHERE relkind = 'r' AND relname = 'orders' ORDER BY pg_total_relation_size(oid) DESC"
    ),
    "SELECT schemaname, relname, n_live_tup FROM pg_stat_user_tables ORDER BY n_live_tup DESC",
    (
        "SELECT table_name, column_name, data_type FROM information_schema.columns "
        "WHERE table_schema = 'public' ORDER BY 1, ordinal_position"
    ),
    (
        "SELECT table_schema, table_name FROM information_schema.tables WHERE table_type = "
        "'BASE TABLE'"
    ),
    "SELECT tablename, indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'",
    "SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint WHERE contype = 'f'",
    "SELECT viewname, definition FROM pg_views WHERE schemaname = 'public'",
    (
        "SELECT pg_get_viewdef(c.oid), obj_description(c.oid), col_description(c.oid, 1), "
        "format_type(23, NULL), pg_get_userbyid(c.relowner), pg_table_is_visible(c.oid), "
        "pg_get_indexdef(c.oid), shobj_description(c.oid, 'pg_database') FROM pg_class c "
        "WHERE c.relname = 'orders'"
    ),
    (
        "SELECT has_table_privilege('orders', 'SELECT'), has_schema_privilege('public', 'USAGE'), "
        "has_column_privilege('orders', 'id', 'SELECT'), "
        "has_database_privilege(current_database(), "
        "'CONNECT')"
    ),
    (
        "SELECT attname, format_type(atttypid, atttypmod) FROM pg_attribute "
        "WHERE attrelid = 'orders'::regclass AND attnum > 0"
    ),
    (
        "SELECT 'orders'::regclass, to_regclass('orders'), to_regclass('nowhere') IS NULL, "
        "oid::regclass FROM pg_class WHERE relname = 'orders'"
    ),
    "SELECT e.enumlabel, pg_typeof(1), pg_typeof(now()) FROM pg_enum e",
    "SELECT pg_client_encoding(), getdatabaseencoding(), pg_encoding_to_char(6)",
    # Names that have to be quoted.
    *QUOTED,
    'WITH "it\'s" AS (SELECT 1 AS "x""y") SELECT "it\'s"."x""y" FROM "it\'s"',
    'SELECT "public"."My Table (2024)"."🛒 cart" FROM "public"."My Table (2024)"',
    "SELECT größe.id AS größe FROM orders AS größe",
    # Comments, cases and odd layout.
    "select\n\tid, -- the id\n\ttotal /* in EUR */\nfrom\n\torders\nwhere\n\ttotal > 1\n;",
    (
        "SELECT CASE status WHEN 'paid' THEN 1 WHEN 'open' THEN 2 ELSE 0 END, "
        "CASE WHEN total > 50 THEN 'big' END FROM orders"
    ),
    "SELECT id IS DISTINCT FROM 1, is_active IS NOT TRUE, NOT id = 1 FROM customers",
    (
        "SELECT CAST(total AS int), CAST('2026-01-01' AS date), total::numeric(10, 1), "
        "CAST(created_at AS timestamp(0)), '1'::double precision, '{}'::json FROM orders"
    ),
    "SELECT id AS value, total AS key, status AS type, id AS name FROM orders",
    "SELECT x'ff'::int, b'101', '\\xDEADBEEF'::bytea, bit_count(b'101')",
    "SELECT get_byte('abc'::bytea, 0), get_bit('abc'::bytea, 0), sha512('a')",
)
