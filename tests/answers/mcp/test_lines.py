"""Lines out of pieces."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatd.answers.mcp.lines import Lines, LineTooLong


@given(data=st.text("ab\n"), cuts=st.lists(st.integers(1, 5)))
def test_however_it_is_cut_the_lines_are_the_same(data: str, cuts: list[int]) -> None:
    raw, lines, found = data.encode(), Lines(1000), []
    for size in [*cuts, len(raw) + 1]:
        found += lines.feed(raw[:size])
        raw = raw[size:]
    assert found == data.encode().split(b"\n")[:-1]


def test_the_end_of_a_line_may_have_a_carriage_return() -> None:
    assert Lines(10).feed(b"a\r\nb\n") == [b"a", b"b"]


@pytest.mark.parametrize("pieces", [[b"x" * 11], [b"x" * 10, b"x"], [b"a\n" + b"x" * 10, b"x\n"]])
def test_a_line_that_is_too_long_is_told_before_it_ends(pieces: list[bytes]) -> None:
    lines, (*before, last) = Lines(10), pieces
    for piece in before:
        lines.feed(piece)
    with pytest.raises(LineTooLong):
        lines.feed(last)


def test_a_line_of_just_the_bound_is_taken() -> None:
    assert Lines(10).feed(b"x" * 10 + b"\n") == [b"x" * 10]
