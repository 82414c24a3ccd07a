"""Copies of answers with fewer rows: the bytes that are cut are what parsing would give."""

from typing import Any

import attrs
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatd.answers.answer import AnswerContent, Ending
from chatd.answers.table import Column
from chatd.chat.answer_rows import WALKED_ROWS, message_with_rows, with_rows
from chatd.chat.markup import MARKUPS
from chatd.chat.rendering import message_json
from chatd.wire.codes import Code
from tests.store.logs import message

CELLS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(),
    st.sampled_from(['"rows":[', '],"rows":[[', "\\", '\\"', "]", "[", "]]}", ',"answer":{']),
    st.builds(lambda text: {"$bytes": text}, st.sampled_from(["", "AAEC"])),
)


def answer(rows: list[list[Any]], *, ending: Ending | None = None) -> bytes:
    """The JSON of an answer, as it is stored."""
    content = AnswerContent(100_000, 1 << 30)
    content.asks('SELECT \'],"rows":[\' AS "a ] \\"')
    content.set_columns([Column(',"rows":[', "TEXT")] * max(map(len, rows), default=1))
    content.add_rows(rows)
    content.end(ending or Ending())
    return content.as_json(7)


def parsed(whole: bytes, most: int) -> Any:
    """What a copy has to say, found by parsing."""
    told = orjson.loads(whole)
    omitted = len(told["rows"]) - most
    return told | {"rows": told["rows"][:most], "rowsOmitted": omitted} if omitted > 0 else told


@given(st.lists(st.lists(CELLS, min_size=1, max_size=4), max_size=12), st.integers(0, 14))
def test_a_copy_has_the_first_rows_and_says_how_many_it_lacks(
    rows: list[list[Any]], most: int
) -> None:
    whole = answer(rows)
    copy = with_rows(whole, most)
    assert orjson.loads(copy) == parsed(whole, most)
    assert with_rows(copy, most) is copy
    assert most < len(rows) or copy is whole
    assert orjson.loads(with_rows(copy, most // 2)) == parsed(whole, most // 2)


@pytest.mark.parametrize("most", [0, 1, WALKED_ROWS, WALKED_ROWS + 1, 999, 1_000, 10**9])
def test_a_long_answer_is_cut_at_any_row(most: int) -> None:
    whole = answer([[number, "x" * 20] for number in range(1_000)])
    assert orjson.loads(with_rows(whole, most)) == parsed(whole, most)


@pytest.mark.parametrize(
    "kept",
    [
        b"",
        b"{}",
        b"[1]",
        b'{"rows":7}',
        b'{"state":"done","rowCount":5,',
        b'{"state":"done","rowCount":5,"rows":[[1],[2',
        b'{"state":"done","rowCount":5,"columns":[],"rows":[1,2,3]',
        b'{"state":"done","rowCount":5,"columns":[],"rows":[]}',
        b'{"state":"done","rowCount":5,"columns":[],"rows":[[1],[2]]}',
        b"\xff\x00",
    ],
)
def test_what_is_no_table_or_is_damaged_comes_back_as_it_is(kept: bytes) -> None:
    assert with_rows(kept, 2) == kept


def test_json_of_another_form_is_cut_all_the_same() -> None:
    kept = b'{ "rows": [[1], [2], [3]], "state": "done" }'
    assert orjson.loads(with_rows(kept, 1)) == {"rows": [[1]], "state": "done", "rowsOmitted": 2}
    nested = b'{"state":"done","rowCount":3,"columns":[],"rows":[[[1]],[[2]],[[3]]]}'
    assert orjson.loads(with_rows(nested, 2))["rows"] == [[[1]], [[2]]]


@pytest.mark.parametrize("delivered", [False, True])
@pytest.mark.parametrize(
    "ending", [Ending(), Ending.failed(Code.DB_ERROR, 'No <b>such</b> ,"answer":{ table')]
)
def test_a_rendered_message_is_cut_like_the_answer_in_it(delivered: bool, ending: Ending) -> None:
    rows = [[number, ',"answer":{'] for number in range(9)]
    markup = MARKUPS["neutralise"]
    whole = attrs.evolve(message(1), answer=answer(rows, ending=ending))
    body = message_json(whole, markup, delivered)
    assert whole.answer is not None
    cut = attrs.evolve(whole, answer=with_rows(whole.answer, 2))
    assert message_with_rows(body, whole.answer, 2) == message_json(cut, markup, delivered)
    assert message_with_rows(body, whole.answer, 9) == body
    assert message_with_rows(body, whole.answer, None) is body
    assert message_with_rows(body, None, 1) is body
