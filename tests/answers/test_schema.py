"""Schemas from rows, whatever a database has named its tables."""

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatd.answers.requests import DatabaseFailed
from chatd.answers.schema import (
    BYTES_MAX,
    NAME_CHARS_MAX,
    TABLES_MAX,
    ColumnRows,
    Schema,
    SchemaTables,
    TableRows,
)
from chatd.answers.table import Column

LISTED = ("name", "schema", "kind", "column_name", "column_type")


def read(rows: list[list[Any]], columns: tuple[str, ...] = LISTED) -> Schema:
    tables = SchemaTables()
    sink = TableRows(tables)
    sink.columns([Column(name) for name in columns])
    sink.rows(rows)
    return tables.finished()


def shown(schema: Schema) -> list[Any]:
    return [orjson.loads(orjson.dumps(table)) for table in schema.tables]


def test_columns_stand_with_their_tables_in_their_order() -> None:
    schema = read(
        [
            ["orders", "sales", "BASE TABLE", "id", "bigint"],
            ["orders", "sales", "BASE TABLE", "total", None],
            ["orders", "archive", "VIEW", "id", "bigint"],
            ["empty", None, None, None, None],
        ]
    )
    assert not schema.is_truncated
    assert shown(schema) == [
        {
            "name": "orders",
            "schema": "sales",
            "kind": "table",
            "columns": [{"name": "id", "type": "bigint"}, {"name": "total", "type": None}],
        },
        {
            "name": "orders",
            "schema": "archive",
            "kind": "view",
            "columns": [{"name": "id", "type": "bigint"}],
        },
        {"name": "empty", "kind": "table", "columns": []},
    ]


@pytest.mark.parametrize(
    ("columns", "row", "schema"),
    [
        (("name", "kind", "columns"), ["a", "view", 7], (None, "a", "view")),
        (("TABLE_NAME", "TABLE_SCHEMA", "TABLE_TYPE"), ["a", "s", "VIEW"], ("s", "a", "view")),
        (("Tables_in_shop",), ["a"], (None, "a", "table")),
        (("name", "type"), ["s.a", "table"], ("s", "a", "table")),
        (("name", "column_name"), ["s.a", "x"], (None, "s.a", "table")),
    ],
)
def test_lists_of_tables_are_read_in_the_words_of_their_databases(
    columns: tuple[str, ...], row: list[Any], schema: tuple[Any, ...]
) -> None:
    [table] = shown(read([row], columns))
    assert (table.get("schema"), table["name"], table["kind"]) == schema


def test_a_list_that_is_a_text_for_people_is_no_list() -> None:
    for columns in (("text",), ("a", "b")):
        with pytest.raises(DatabaseFailed, match="text for people"):
            read([], columns)
    assert read([], ()).tables == ()


def test_columns_of_one_table_are_read_in_the_words_of_their_databases() -> None:
    tables = SchemaTables()
    table = tables.add("t", None, None)
    assert table is not None
    for columns in (("Field", "Type", "Null"), ("name", "type"), ("column_name", "data_type")):
        sink = ColumnRows(tables, table)
        sink.columns([Column(name) for name in columns])
        sink.rows([[columns[0], "int", True][: len(columns)]])
    assert [one["name"] for one in shown(tables.finished())[0]["columns"]] == [
        *("Field", "name", "column_name")
    ]
    ColumnRows(tables, table).columns([Column("text")])
    assert tables.is_truncated


@pytest.mark.parametrize(
    "name", ["", "a\nb", "\x00", "\x1b[31m", "\x85", "x" * (NAME_CHARS_MAX + 1), "\ud800", 7, None]
)
def test_names_that_nobody_can_type_are_left_out_and_that_is_said(name: object) -> None:
    schema = read([[name, None, "table", "x", "int"], ["t", None, "table", name or "\n", "int"]])
    assert schema.is_truncated
    assert shown(schema) == [{"name": "t", "kind": "table", "columns": []}]


def test_names_are_exact_and_other_words_are_one_short_line() -> None:
    name = "<b>Ж\u202e 🐘\"'`" + "x" * (NAME_CHARS_MAX - 11)
    [table] = shown(read([[name, name, "a\nkind" * 99, name, "in\nt\ud800" * 99]]))
    assert (table["name"], table["schema"], table["columns"][0]["name"]) == (name, name, name)
    for word in (table["kind"], table["columns"][0]["type"]):
        assert len(word) <= 100
        assert "\n" not in word


def test_more_tables_than_a_schema_has_are_left_out() -> None:
    schema = read([[f"t{number}", None, None, "x", None] for number in range(TABLES_MAX + 1)])
    assert schema.is_truncated
    assert len(schema.tables) == TABLES_MAX


def test_a_schema_that_is_too_large_loses_columns_first_and_then_tables() -> None:
    wide = [["wide", None, None, f"{number}" + "x" * 200, "t"] for number in range(2_000)]
    schema = read([["a", None, None, "x", "int"], *wide, ["b", None, None, "x", "int"]])
    assert schema.is_truncated
    assert [(one["name"], len(one["columns"])) for one in shown(schema)] == [
        *(("a", 1), ("wide", 0), ("b", 1))
    ]
    long = [[f"{number:03}" + "ж" * 250, "ж" * 250, None, None, None] for number in range(400)]
    assert len(orjson.dumps(list(read(long).tables))) <= BYTES_MAX


CELLS = st.one_of(st.none(), st.integers(), st.text(), st.just({"$bytes": "AA=="}))


@given(st.lists(st.lists(CELLS, min_size=5, max_size=5), max_size=30))
def test_whatever_a_database_says_there_is_a_schema(rows: list[list[Any]]) -> None:
    schema = read(rows)
    assert len(orjson.dumps(list(schema.tables))) <= BYTES_MAX
    names = [(row[1] or None, row[0]) for row in rows]
    assert all((one.get("schema"), one["name"]) in names for one in shown(schema))
