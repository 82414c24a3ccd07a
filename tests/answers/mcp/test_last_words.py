"""What a db-mcp wrote last: bounded, readable, and without its secrets wherever they stand."""

import pytest

from chatd.answers.mcp.last_words import WORDS_BYTES, LastWords
from chatd.answers.mcp.secrets import Masks

SECRET = "a secret of many words"


def words_of(written: bytes, piece_bytes: int = 65_536, secret: str = SECRET) -> tuple[str, ...]:
    words = LastWords(Masks([secret]))
    for at in range(0, len(written), piece_bytes):
        words.hear(written[at : at + piece_bytes])
    return words.lines


def test_the_last_lines_are_kept() -> None:
    lines = words_of(b"first\n" + b"x" * 1_048_576 + b"\n\n  no driver  \r\n")
    assert [len(line) for line in lines] == [WORDS_BYTES - 17, len("no driver")]
    assert lines[-1] == "no driver"


@pytest.mark.parametrize("piece_bytes", [1, 7, 4_096, 65_536])
@pytest.mark.parametrize("secret", [SECRET, SECRET * 100])
def test_a_secret_over_the_edge_leaves_nothing_behind(secret: str, piece_bytes: int) -> None:
    for inside in (1, 4, len(secret) // 2, len(secret) - 1):
        after = b"y" * (WORDS_BYTES - inside)
        lines = words_of(b"x" * 9_000 + secret.encode() + after, piece_bytes, secret)
        assert lines == ("***" + after.decode(),)


def test_what_is_no_unicode_is_replaced_and_hides_no_secret() -> None:
    written = b"\xff\xfe caf\xe9 \x80" + SECRET.encode() + b"\x80 \xf0\x9f\n\x1b[31m"
    assert words_of(written) == (
        "\ufffd\ufffd caf\ufffd \ufffd***\ufffd \ufffd",
        "\x1b[31m",
    )


def test_who_wrote_nothing_has_no_words() -> None:
    assert words_of(b"") == ()
