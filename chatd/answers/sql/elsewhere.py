"""What other databases have, and what does the same here: said when it is refused.

People bring the functions that they know. A function that a database does not have cannot be
called, so the refusal says what to write instead. Each of these answers was tried with the database
itself (tests/answers/sql/test_elsewhere.py).
"""

import re
from collections.abc import Mapping
from typing import Final

from chatd.answers.sql.lexer import Dialect
from chatd.answers.sql.places import DIALECT_NAMES

_SQLITE: Final = {
    "now": "datetime('now')",
    "getdate": "datetime('now')",
    "sysdate": "datetime('now')",
    "systimestamp": "datetime('now')",
    "getutcdate": "datetime('now')",
    "sysdatetime": "datetime('now')",
    "utc_timestamp": "datetime('now')",
    "localtimestamp": "datetime('now', 'localtime')",
    "clock_timestamp": "datetime('now')",
    "curdate": "date('now')",
    "today": "date('now')",
    "utc_date": "date('now')",
    "curtime": "time('now')",
    "date_trunc": "date(x, 'start of month'), or strftime('%Y-%m', x)",
    "datetrunc": "date(x, 'start of month'), or strftime('%Y-%m', x)",
    "date_part": "CAST(strftime('%Y', x) AS INTEGER)",
    "datepart": "CAST(strftime('%Y', x) AS INTEGER)",
    "extract": "CAST(strftime('%Y', x) AS INTEGER)",
    "year": "CAST(strftime('%Y', x) AS INTEGER)",
    "month": "CAST(strftime('%m', x) AS INTEGER)",
    "day": "CAST(strftime('%d', x) AS INTEGER)",
    "dayofmonth": "CAST(strftime('%d', x) AS INTEGER)",
    "hour": "CAST(strftime('%H', x) AS INTEGER)",
    "minute": "CAST(strftime('%M', x) AS INTEGER)",
    "second": "CAST(strftime('%S', x) AS INTEGER)",
    "quarter": "(CAST(strftime('%m', x) AS INTEGER) + 2) / 3",
    "week": "CAST(strftime('%W', x) AS INTEGER)",
    "weekofyear": "CAST(strftime('%W', x) AS INTEGER)",
    "weekday": "CAST(strftime('%w', x) AS INTEGER), where 0 is Sunday",
    "dayofweek": "CAST(strftime('%w', x) AS INTEGER), where 0 is Sunday",
    "dayofyear": "CAST(strftime('%j', x) AS INTEGER)",
    "dayname": "CASE strftime('%w', x) WHEN '0' THEN 'Sunday' ELSE '...' END",
    "monthname": "CASE strftime('%m', x) WHEN '01' THEN 'January' ELSE '...' END",
    "to_char": "strftime('%Y-%m-%d', x) of a date, or printf('%.2f', x) of a number",
    "date_format": "strftime('%Y-%m-%d', x)",
    "time_format": "strftime('%H:%M', x)",
    "to_date": "date(x), of a text such as '2026-01-31'",
    "str_to_date": "date(x), of a text such as '2026-01-31'",
    "to_timestamp": "datetime(x, 'unixepoch') of seconds, or datetime(x) of a text",
    "from_unixtime": "datetime(x, 'unixepoch')",
    "unix_timestamp": "CAST(strftime('%s', x) AS INTEGER)",
    "to_number": "CAST(x AS REAL)",
    "datediff": "julianday(a) - julianday(b)",
    "timestampdiff": "(julianday(b) - julianday(a)) * 24, for hours",
    "age": "julianday('now') - julianday(x), in days",
    "dateadd": "date(x, '+7 days')",
    "date_add": "date(x, '+7 days')",
    "adddate": "date(x, '+7 days')",
    "timestampadd": "datetime(x, '+7 hours')",
    "date_sub": "date(x, '-7 days')",
    "subdate": "date(x, '-7 days')",
    "add_months": "date(x, '+1 month')",
    "months_between": "(julianday(a) - julianday(b)) / 30.44",
    "last_day": "date(x, 'start of month', '+1 month', '-1 day')",
    "eomonth": "date(x, 'start of month', '+1 month', '-1 day')",
    "make_date": "printf('%04d-%02d-%02d', y, m, d)",
    "datefromparts": "printf('%04d-%02d-%02d', y, m, d)",
    "isdate": "date(x) IS NOT NULL",
    "left": "substr(x, 1, 3)",
    "right": "substr(x, -3)",
    "mid": "substr(x, 2, 3)",
    "len": "length(x)",
    "char_length": "length(x)",
    "character_length": "length(x)",
    "datalength": "length(CAST(x AS BLOB))",
    "octet_length": "length(CAST(x AS BLOB))",
    "ucase": "upper(x)",
    "lcase": "lower(x)",
    "btrim": "trim(x)",
    "position": "instr(x, 'a')",
    "strpos": "instr(x, 'a')",
    "charindex": "instr(x, 'a')",
    "locate": "instr(x, 'a')",
    "split_part": "substr(x, 1, instr(x, ',') - 1), for the first part",
    "lpad": "printf('%5s', x), or printf('%05d', x) for zeros",
    "rpad": "printf('%-5s', x)",
    "repeat": "replace(printf('%3s', ''), ' ', x)",
    "replicate": "replace(printf('%3s', ''), ' ', x)",
    "space": "printf('%5s', '')",
    "concat": "x || y",
    "concat_ws": "x || ', ' || y",
    "chr": "char(65)",
    "ascii": "unicode(x)",
    "initcap": "upper(substr(x, 1, 1)) || lower(substr(x, 2))",
    "starts_with": "x LIKE 'a%'",
    "regexp_replace": "replace(x, 'a', 'b')",
    "regexp_like": "x LIKE '%a%', or x GLOB '*[0-9]*'",
    "regexp": "x LIKE '%a%', or x GLOB '*[0-9]*'",
    "rlike": "x LIKE '%a%', or x GLOB '*[0-9]*'",
    "regexp_matches": "x GLOB '*[0-9]*'",
    "md5": "hex(x), which is no hash; SQLite has none",
    "string_agg": "group_concat(x, ', ')",
    "array_agg": "json_group_array(x)",
    "listagg": "group_concat(x, ', ')",
    "json_agg": "json_group_array(x)",
    "jsonb_agg": "json_group_array(x)",
    "json_arrayagg": "json_group_array(x)",
    "json_object_agg": "json_group_object(a, b)",
    "jsonb_object_agg": "json_group_object(a, b)",
    "json_objectagg": "json_group_object(a, b)",
    "json_build_object": "json_object('a', x)",
    "jsonb_build_object": "json_object('a', x)",
    "json_build_array": "json_array(x, y)",
    "json_value": "json_extract(x, '$.a')",
    "json_query": "json_extract(x, '$.a')",
    "json_unquote": "x ->> '$.a'",
    "json_length": "json_array_length(x)",
    "jsonb_array_length": "json_array_length(x)",
    "json_extract_path_text": "x ->> '$.a'",
    "jsonb_extract_path_text": "x ->> '$.a'",
    "json_array_elements": "json_each(x), in FROM",
    "json_array_elements_text": "json_each(x), in FROM",
    "jsonb_array_elements": "json_each(x), in FROM",
    "jsonb_array_elements_text": "json_each(x), in FROM",
    "jsonb_each": "json_each(x), in FROM",
    "json_each_text": "json_each(x), in FROM",
    "json_object_keys": "SELECT key FROM json_each(x)",
    "jsonb_object_keys": "SELECT key FROM json_each(x)",
    "openjson": "json_each(x), in FROM",
    "unnest": "json_each(x), in FROM",
    "json_patch": "json_set(x, '$.a', 1)",
    "generate_series": (
        "WITH RECURSIVE s(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < 10)"
    ),
    "nvl": "coalesce(x, y)",
    "nvl2": "iif(x IS NOT NULL, a, b)",
    "isnull": "ifnull(x, y)",
    "decode": "CASE x WHEN 1 THEN 'a' ELSE 'b' END",
    "if": "iif(x, a, b)",
    "greatest": "max(a, b)",
    "least": "min(a, b)",
    "rand": "abs(random()) % 100",
    "trunc": "CAST(x AS INTEGER)",
    "div": "CAST(a / b AS INTEGER)",
    "square": "x * x",
    "cbrt": "pow(x, 1.0 / 3)",
    "stddev": "sqrt(avg(x * x) - avg(x) * avg(x))",
    "stddev_pop": "sqrt(avg(x * x) - avg(x) * avg(x))",
    "stdev": "sqrt(avg(x * x) - avg(x) * avg(x))",
    "variance": "avg(x * x) - avg(x) * avg(x)",
    "var_pop": "avg(x * x) - avg(x) * avg(x)",
    "median": "SELECT x FROM t ORDER BY x LIMIT 1 OFFSET (SELECT count(*) / 2 FROM t)",
    "percentile_cont": "SELECT x FROM t ORDER BY x LIMIT 1 OFFSET (SELECT count(*) / 2 FROM t)",
    "percentile_disc": "SELECT x FROM t ORDER BY x LIMIT 1 OFFSET (SELECT count(*) / 2 FROM t)",
    "any_value": "min(x)",
    "bool_or": "max(x)",
    "bool_and": "min(x)",
    "every": "min(x)",
    "mode": "SELECT x FROM t GROUP BY x ORDER BY count(*) DESC LIMIT 1",
    "width_bucket": "CAST(x / 10 AS INTEGER)",
    "convert": "CAST(x AS INTEGER)",
    "try_cast": "CAST(x AS INTEGER)",
    "to_jsonb": "json(x)",
    "to_json": "json(x)",
    "jsonb_typeof": "json_type(x)",
    "json_typeof": "json_type(x)",
    "pg_typeof": "typeof(x)",
    "version": "sqlite_version()",
    "database": "SELECT name FROM sqlite_schema, for the tables",
    "current_database": "SELECT name FROM sqlite_schema, for the tables",
}

_POSTGRES: Final = {
    "strftime": "to_char(x, 'YYYY-MM')",
    "date_format": "to_char(x, 'YYYY-MM')",
    "time_format": "to_char(x, 'HH24:MI')",
    "datetime": "now(), or x::timestamp",
    "julianday": "extract(epoch FROM x) / 86400",
    "unixepoch": "extract(epoch FROM x)",
    "unix_timestamp": "extract(epoch FROM x)",
    "from_unixtime": "to_timestamp(x)",
    "timediff": "a - b",
    "datediff": "a::date - b::date",
    "timestampdiff": "extract(epoch FROM a - b) / 3600, for hours",
    "dateadd": "x + interval '7 days'",
    "adddate": "x + interval '7 days'",
    "date_sub": "x - interval '7 days'",
    "subdate": "x - interval '7 days'",
    "add_months": "x + interval '1 month'",
    "last_day": "date_trunc('month', x) + interval '1 month - 1 day'",
    "eomonth": "date_trunc('month', x) + interval '1 month - 1 day'",
    "datetrunc": "date_trunc('month', x)",
    "datepart": "date_part('year', x)",
    "str_to_date": "to_date(x, 'YYYY-MM-DD')",
    "getdate": "now()",
    "getutcdate": "now() AT TIME ZONE 'UTC'",
    "sysdate": "now()",
    "utc_timestamp": "now() AT TIME ZONE 'UTC'",
    "curdate": "current_date",
    "today": "current_date",
    "curtime": "localtime",
    "year": "extract(year FROM x)",
    "month": "extract(month FROM x)",
    "day": "extract(day FROM x)",
    "dayofmonth": "extract(day FROM x)",
    "dayofweek": "extract(dow FROM x)",
    "weekday": "extract(isodow FROM x)",
    "dayofyear": "extract(doy FROM x)",
    "dayname": "to_char(x, 'Day')",
    "monthname": "to_char(x, 'Month')",
    "week": "extract(week FROM x)",
    "weekofyear": "extract(week FROM x)",
    "quarter": "extract(quarter FROM x)",
    "hour": "extract(hour FROM x)",
    "minute": "extract(minute FROM x)",
    "second": "extract(second FROM x)",
    "ifnull": "coalesce(x, y)",
    "nvl": "coalesce(x, y)",
    "nvl2": "CASE WHEN x IS NOT NULL THEN a ELSE b END",
    "isnull": "coalesce(x, y)",
    "iif": "CASE WHEN x THEN a ELSE b END",
    "if": "CASE WHEN x THEN a ELSE b END",
    "decode_case": "CASE x WHEN 1 THEN 'a' ELSE 'b' END",
    "group_concat": "string_agg(x::text, ', ')",
    "listagg": "string_agg(x::text, ', ')",
    "json_group_array": "json_agg(x)",
    "json_group_object": "json_object_agg(a, b)",
    "json_arrayagg": "json_agg(x)",
    "json_objectagg": "json_object_agg(a, b)",
    "json_extract": "x -> 'a', or x ->> 'a' for the text",
    "json_value": "x ->> 'a'",
    "json_unquote": "x ->> 'a'",
    "json_query": "x -> 'a'",
    "json_length": "jsonb_array_length(x)",
    "json_type": "jsonb_typeof(x)",
    "json_valid": "x IS NOT NULL, as a json column is always valid",
    "json_contains": "x @> y",
    "json_set": "jsonb_set(x, '{a}', '1')",
    "json_tree": "jsonb_each(x), in FROM",
    "instr": "strpos(x, 'a')",
    "charindex": "strpos(x, 'a')",
    "locate": "strpos(x, 'a')",
    "len": "length(x)",
    "datalength": "octet_length(x)",
    "ucase": "upper(x)",
    "lcase": "lower(x)",
    "mid": "substring(x, 2, 3)",
    "char": "chr(65)",
    "unicode": "ascii(x)",
    "hex": "encode(x::bytea, 'hex')",
    "unhex": "decode(x, 'hex')",
    "printf": "format('%s', x), or to_char(x, 'FM999.00') of a number",
    "glob": "x LIKE 'a%'",
    "regexp": "x ~ 'a'",
    "rlike": "x ~ 'a'",
    "space": "repeat(' ', 5)",
    "replicate": "repeat(x, 3)",
    "substring_index": "split_part(x, ',', 1)",
    "field": "array_position(ARRAY['a', 'b'], x)",
    "find_in_set": "array_position(string_to_array(y, ','), x)",
    "typeof": "pg_typeof(x)",
    "convert": "x::integer",
    "try_cast": "x::integer",
    "rand": "random()",
    "log2": "log(2, x)",
    "square": "x ^ 2",
    "std": "stddev(x)",
    "stdev": "stddev(x)",
    "median": "percentile_cont(0.5) WITHIN GROUP (ORDER BY x)",
    "total": "coalesce(sum(x), 0)",
    "sha1": "sha256(x::bytea)",
    "sha2": "sha256(x::bytea)",
    "uuid": "gen_random_uuid()",
    "uuid_generate_v4": "gen_random_uuid()",
    "newid": "gen_random_uuid()",
    "database": "current_database()",
    "sqlite_version": "version()",
    "likely": "x",
    "unlikely": "x",
}

_MYSQL: Final = {
    "strftime": "date_format(x, '%Y-%m')",
    "to_char": "date_format(x, '%Y-%m')",
    "date_trunc": "date_format(x, '%Y-%m-01')",
    "date_part": "extract(year FROM x)",
    "datepart": "extract(year FROM x)",
    "julianday": "to_days(x)",
    "datetime": "now(), or CAST(x AS datetime)",
    "unixepoch": "unix_timestamp(x)",
    "to_date": "str_to_date(x, '%Y-%m-%d')",
    "to_timestamp": "from_unixtime(x)",
    "getdate": "now()",
    "dateadd": "date_add(x, INTERVAL 7 DAY)",
    "age": "timestampdiff(YEAR, x, now())",
    "iif": "if(x, a, b)",
    "nvl": "ifnull(x, y)",
    "string_agg": "group_concat(x SEPARATOR ', ')",
    "listagg": "group_concat(x SEPARATOR ', ')",
    "array_agg": "json_arrayagg(x)",
    "json_agg": "json_arrayagg(x)",
    "json_group_array": "json_arrayagg(x)",
    "json_group_object": "json_objectagg(a, b)",
    "json_array_length": "json_length(x)",
    "strpos": "locate('a', x)",
    "charindex": "locate('a', x)",
    "split_part": "substring_index(x, ',', 1)",
    "len": "char_length(x)",
    "initcap": "concat(upper(left(x, 1)), lower(substring(x, 2)))",
    "btrim": "trim(x)",
    "chr": "char(65)",
    "trunc": "truncate(x, 2)",
    "random": "rand()",
    "printf": "format(x, 2)",
    "current_database": "database()",
}

_ELSEWHERE: Final[Mapping[Dialect, Mapping[str, str]]] = {
    "sqlite": _SQLITE,
    "postgres": _POSTGRES,
    "mysql": _MYSQL,
}


# Words and signs of others that are not functions.
_SIGNS: Final = {
    "=<": "<= for =<",
    "!<": ">= for !<",
    "!>": "<= for !>",
}
_SQLITE_WORDS: Final = {
    **_SIGNS,
    "=>": ">= for =>",
    "&&": "AND for &&",
    "::": "CAST(x AS INTEGER) for x::integer",
    "ILIKE": "LIKE, which does not look at the case of A to Z",
    "RLIKE": "LIKE or GLOB",
    "SIMILAR": "LIKE or GLOB",
    "TOP": "LIMIT 10 at the end for TOP 10",
    "INTERVAL": "datetime(x, '-7 days') for x - interval '7 days'",
    "FETCH": "LIMIT 10 for FETCH FIRST 10 ROWS ONLY",
    "LATERAL": "a subquery in SELECT for LATERAL",
    "TABLESAMPLE": "ORDER BY random() LIMIT 100 for TABLESAMPLE",
}
_POSTGRES_WORDS: Final = {
    **_SIGNS,
    "`": 'double quotes around a name, as in "my name"',
    "TOP": "LIMIT 10 at the end for TOP 10",
    "GLOB": "LIKE, or ~ with a regular expression, for GLOB",
    "RLIKE": "~ for RLIKE",
    "REGEXP": "~ for REGEXP",
    "==": "= for ==",
}
_MYSQL_WORDS: Final = {
    **_SIGNS,
    "=>": ">= for =>",
    "::": "CAST(x AS signed) for x::integer",
    "ILIKE": "LIKE, which does not look at case",
    "TOP": "LIMIT 10 at the end for TOP 10",
    "GLOB": "LIKE or REGEXP for GLOB",
}
_WORDS_ELSEWHERE: Final[Mapping[Dialect, Mapping[str, str]]] = {
    "sqlite": _SQLITE_WORDS,
    "postgres": _POSTGRES_WORDS,
    "mysql": _MYSQL_WORDS,
}

# Values that others write as bare words; every database of ours has what stands for them.
_VALUES_ELSEWHERE: Final = {
    "SYSDATE": "CURRENT_TIMESTAMP",
    "SYSTIMESTAMP": "CURRENT_TIMESTAMP",
    "GETDATE": "CURRENT_TIMESTAMP",
    "ROWNUM": "LIMIT 10 at the end",
}


_CATALOGUES: Final = ("information_schema", "pg_catalog", "sys")
_OF_CATALOGUES: Final = re.compile(
    r"(?:pg|all|user|dba)_(?:tables|views|class|attribute|indexes|namespace|columns|tab_columns)"
)
_SQLITE_CATALOGUE: Final = frozenset({"sqlite_master", "sqlite_schema"})


def alternative(function: str, dialect: Dialect) -> str | None:
    """What a database has in place of a function of others; None if that is not known."""
    return _ELSEWHERE[dialect].get(function.lower())


def instead_of(function: str, dialect: Dialect) -> str | None:
    """The same as a sentence."""
    here = alternative(function, dialect)
    return here and f"{DIALECT_NAMES[dialect]} has no {function.lower()}(); write {here}."


def instead_of_word(word: str, dialect: Dialect) -> str | None:
    """The sentence that says what a database has for a word, or a sign, of the grammar of others;
    None where that is not known."""
    here = _WORDS_ELSEWHERE[dialect].get(word)
    return here and f"{DIALECT_NAMES[dialect]} has no {word}; write {here}."


def instead_of_value(word: str) -> str | None:
    """What every database has for a bare word that is a value in others; None if that is not
    known."""
    return _VALUES_ELSEWHERE.get(word.upper())


def instead_of_table(table: str, dialect: Dialect) -> str | None:
    """What to do if a table is not there that only other databases have; None if that is not
    known."""
    schema, _, name = table.lower().rpartition(".")
    if name == "dual":
        return "leave FROM DUAL out"
    if dialect == "sqlite" and (schema in _CATALOGUES or _OF_CATALOGUES.fullmatch(name)):
        return "ask with /tables, or SELECT name FROM sqlite_schema"
    if dialect == "postgres" and name in _SQLITE_CATALOGUE:
        return "ask with /tables, or SELECT table_name FROM information_schema.tables"
    return None
