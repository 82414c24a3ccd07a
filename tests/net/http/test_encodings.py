"""Which coding is answered with, by what a client says that it takes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatd.net.http.encodings import preferred

OFFERED = ("br", "gzip", "identity")


@pytest.mark.parametrize(
    ("accepted", "coding"),
    [
        (None, "identity"),
        ("", "identity"),
        ("gzip", "gzip"),
        ("gzip, deflate, br, zstd", "br"),
        ("br;q=0.5, gzip;q=1.0", "gzip"),
        ("br ; q=0.5 , gzip ;q=0.5", "br"),
        ("br;q=0, gzip", "gzip"),
        ("GZIP", "gzip"),
        ("x-gzip", "gzip"),
        ("*", "br"),
        ("*;q=0", "identity"),
        ("br;q=0, *", "gzip"),
        ("identity", "identity"),
        ("identity;q=1, gzip;q=0.5", "identity"),
        ("identity;q=0.5, gzip;q=0.5", "gzip"),
        ("identity;q=0", "identity"),
        ("identity;q=0, *;q=0", "identity"),
        ("deflate, zstd", "identity"),
        ("gzip;q=2", "identity"),
        ("gzip;q=0.0001", "identity"),
        ("gzip;level=9", "identity"),
        ("gzip;;q=1, br", "br"),
        (",, ,gzip,", "gzip"),
    ],
)
def test_the_client_is_answered_in_what_it_weighs_most_and_the_smallest_of_equals(
    accepted: str | None, coding: str
) -> None:
    assert preferred(accepted, OFFERED) == coding


def test_what_is_not_there_is_not_chosen() -> None:
    assert preferred("br, gzip", ("identity",)) == "identity"
    assert preferred("br, gzip;q=0.1", ("gzip", "identity")) == "gzip"


@given(st.text(alphabet="brgzipdentty*;q=01., \t\"'\\", max_size=60))
def test_whatever_is_sent_there_is_an_answer(accepted: str) -> None:
    assert preferred(accepted, OFFERED) in OFFERED


@pytest.mark.timeout(20)
def test_a_header_made_to_be_slow_is_not() -> None:
    for accepted in ("," * 16_000, "gzip;q=0." * 1_700, "gzip" + " " * 16_000, "a;" * 8_000):
        preferred(accepted, OFFERED)
