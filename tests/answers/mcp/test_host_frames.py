"""What the daemon and the process that has its sessions say to each other."""

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatd.answers.cut import Cut
from chatd.answers.frames import FrameBreach
from chatd.answers.mcp.calls import ToolCall
from chatd.answers.mcp.host_frames import (
    PIECE_BYTES,
    Ask,
    Close,
    Columns,
    Ended,
    Failed,
    NotBegun,
    Open,
    Opened,
    Order,
    Over,
    Rows,
    Stop,
    Took,
    Word,
    Wrote,
    order_from_json,
    order_to_json,
    rows_as_json,
    word_from_json,
    word_to_json,
)
from chatd.answers.mcp.listing import Narrowing
from chatd.answers.mcp.mapping import READY, Form
from chatd.answers.mcp.settings import DatabaseSettings
from chatd.answers.requests import Answered, Stopped, Terms
from chatd.answers.sql.scopes import ContextScope, TableName
from chatd.answers.table import Cell, Column
from chatd.wire.codes import Code
from chatd.wire.names import RowsCut
from tests.rows import rows

CALL = ToolCall(
    "query",
    {"sql": "SELECT 1", "maxRows": 5, "tables": ["a"], "share": 0.5, "readOnly": True},
    Form.STRUCTURED,
    "data.results",
    TableName("orders", "public"),
    Narrowing(ContextScope.of("sqlite", "main", ("a", "b")), "main"),
    is_json_rows=True,
)
ORDERS: list[Order] = [
    Open(
        1,
        DatabaseSettings(command=("db-mcp", "--x"), environment={"KEY": "secret"}),
        ("db-mcp", "--x"),
        {"PATH": "/bin", "KEY": "secret"},
    ),
    *(
        Open(2, DatabaseSettings(url="http://[::1]:9/mcp", headers={"a": "b"}, mapping=one), (), {})
        for one in READY.values()
    ),
    Ask(1, 2, CALL, Terms(tables=("a",), timeout_s=2.5), 60.0),
    Ask(1, 3, ToolCall("list_tables", {}), Terms(), 1.5),
    Stop(1, 2),
    Took(1, 2, 65_536),
    Close(1),
]
WORDS: list[Word] = [
    Opened(1),
    Wrote(1, b"\x00\xff no UTF-8 \n"),
    Columns(1, 2, (Column("id", "INTEGER"), Column("東 🐘"))),
    Ended(1, 2, Answered(Cut(RowsCut.MAX_ROWS, 1, 2), rows_written=3), True),
    Ended(1, 2, Answered(), True),
    Ended(1, 2, Stopped(is_confirmed=True), True),
    Ended(1, 2, Failed(Code.DB_SYNTAX, 'near "x"'), False),
    Ended(1, 2, NotBegun(), False),
    Over(1, None),
    Over(1, "the process ended", "it sent a message that is too long"),
]
CELLS: st.SearchStrategy[Cell] = (
    st.none()
    | st.booleans()
    | st.integers(-(2**53) + 1, 2**53 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec="utf-8"), max_size=20)
    | st.just({"$bytes": "AAE="})
)


@rows("order", ORDERS, ids=lambda order: type(order).__name__)
def test_an_order_arrives_as_it_was(order: Order) -> None:
    assert order_from_json(order_to_json(order)) == order


@rows("word", WORDS, ids=lambda word: type(word).__name__)
def test_a_word_arrives_as_it_was(word: Word) -> None:
    assert word_from_json(word_to_json(word)) == word


@given(st.lists(st.lists(CELLS, max_size=4), max_size=20))
def test_rows_arrive_as_they_were(sent: list[list[Cell]]) -> None:
    came: list[object] = []
    for content in rows_as_json(7, 8, sent):
        word = word_from_json(content)
        assert isinstance(word, Rows)
        assert (word.session, word.number, word.size) == (7, 8, len(content))
        came += word.rows
    assert came == sent


def test_what_a_child_wrote_travels_as_it_is() -> None:
    written = bytes(range(256)) * 256
    assert len(word_to_json(Wrote(12, written))) < len(written) + 10


def test_rows_are_cut_into_frames_and_a_long_row_is_one_of_its_own() -> None:
    short, long = ["x" * 1_000], ["y" * (2 * PIECE_BYTES)]
    frames = list(rows_as_json(1, 2, [*[short] * 200, long, short]))
    assert [len(orjson.loads(frame)[2]) for frame in frames] == [65, 65, 65, 5, 1, 1]
    assert sorted(map(len, frames))[-2] < PIECE_BYTES + 100
    assert list(rows_as_json(1, 2, [])) == []


@rows(
    "content",
    [
        b"",
        b"{",
        b"null",
        b"[]",
        b'"ready"',
        b"{}",
        b"[1,2]",
        b"[1,2,3]",
        b"[1,true,[]]",
        b'["1",2,[]]',
        b"[1,2,[3]]",
        b"[1,2,[[4],{}]]",
        b"!",
        b"!one words",
        b'{"is":"Stop","session":1}',
        b'{"is":"Opened","session":"1"}',
        b'{"is":"Opened","session":true}',
        b'{"is":"Opened","session":1,"more":2}',
        b'{"is":"Over","session":1,"reason":2,"breach":null}',
        b'{"is":"Ended","session":1,"number":2,"outcome":{"is":"Strange"},"is_usable":true}',
        b'{"is":"Ended","session":1,"number":2,"outcome":{"is":"NotBegun"},"is_usable":1}',
        b'{"is":"Ended","session":1,"number":2,"outcome":{"is":"Failed","code":"no"}}',
    ],
)
def test_what_is_of_no_known_shape_is_a_breach(content: bytes) -> None:
    with pytest.raises(FrameBreach):
        word_from_json(content)
    with pytest.raises(FrameBreach):
        order_from_json(b'{"is":"Ask"}' if b"Stop" in content else content)


def test_no_secret_is_shown_of_an_order() -> None:
    assert "secret" not in repr(ORDERS[0])
