"""What is missing of a result, told and read back, and rows that are shortened to fit."""

from base64 import b64decode

import orjson
from hypothesis import given
from hypothesis import strategies as st

from chatd.answers.cut import WHOLE, Cut, cut_of_json, shortened
from chatd.answers.table import BYTES, cell
from chatd.wire.encoder import plain
from chatd.wire.names import RowsCut
from tests.rows import rows

cuts = st.builds(
    Cut, st.none() | st.sampled_from(RowsCut), st.integers(0, 10**6), st.integers(0, 10**6)
)


@given(cuts)
def test_what_a_client_is_told_reads_back(cut: Cut) -> None:
    told = {} if cut.payload is None else {"cut": plain(cut.payload)}
    assert cut_of_json(orjson.loads(orjson.dumps({"truncated": bool(cut), **told}))) == cut
    assert bool(cut) is bool(cut.header) is bool(cut.sentences(3)) is (cut != WHOLE)


@rows(
    ("told", "cut"),
    [
        ({}, WHOLE),
        ({"truncated": False}, WHOLE),
        ({"truncated": True}, Cut(RowsCut.DATABASE)),  # one that was stored before there was `cut`
        ({"truncated": True, "cut": {"values": 2}}, Cut(values=2)),
        ({"truncated": True, "cut": {"rows": "reasons", "values": True}}, Cut(RowsCut.DATABASE)),
        ({"truncated": True, "cut": {"rows": ["max_rows"]}}, Cut(RowsCut.DATABASE)),
        ({"cut": {"values": -1}}, WHOLE),
        ({"cut": {"values": 10**300}}, WHOLE),
        ({"cut": 7}, WHOLE),
    ],
)
def test_whatever_a_db_mcp_says_is_read(told: dict[str, object], cut: Cut) -> None:
    assert cut_of_json(told) == cut


def test_the_header_is_a_dictionary_of_rfc_8941() -> None:
    assert Cut(RowsCut.MAX_ROWS, 2, 1).header == "rows=max_rows, values=2, names=1"


def test_both_cuts_of_a_result_that_was_cut_twice_are_told() -> None:
    twice = Cut(RowsCut.DATABASE, values=1).joined(Cut(RowsCut.MAX_BYTES, values=2, names=3))
    assert twice == Cut(RowsCut.DATABASE, values=3, names=3)


@rows("text", ["\0" * 500, "🐘" * 500, '"' * 500, "x" * 500])
def test_a_row_is_shortened_to_fit_however_its_text_is_escaped(text: str) -> None:
    fitting = shortened([text, cell(text.encode()), 7, None, "short"], 200)
    assert fitting is not None
    row, values = fitting
    assert (values, row[2:]) == (2, [7, None, "short"])
    assert len(orjson.dumps(row)) < 200
    assert isinstance(row[0], str)
    assert row[0]
    assert text.startswith(row[0])
    assert isinstance(row[1], dict)
    assert text.encode().startswith(b64decode(row[1][BYTES]))


def test_a_row_that_does_not_fit_without_its_texts_is_given_up() -> None:
    assert shortened([123456789, 123456789], 5) is None
