"""The secrets of a db-mcp are found however they are written, and nothing takes long."""

import base64
import json
import shlex
from collections.abc import Callable
from typing import Final
from urllib.parse import quote, quote_plus

from hypothesis import given
from hypothesis import strategies as st

from chatd.answers.mcp.contract import NO_PSYCOPG
from chatd.answers.mcp.secrets import BASE64_BYTES_MIN, Masks, secrets_of
from chatd.answers.mcp.settings import DatabaseSettings
from tests.rows import rows

PASSWORD: Final = "p@s \"w'/\u00f6\U0001f600\\x%\u00e9 \n1"
WAYS: Final[dict[str, Callable[[str], str | bytes]]] = {
    "plain": lambda text: text,
    "percent-encoded": quote,
    "percent-encoded whole": lambda text: quote(text, safe=""),
    "percent-encoded in small letters": lambda text: quote(text, safe="").lower(),
    "percent-encoded every byte": lambda text: "".join(f"%{byte:02X}" for byte in text.encode()),
    "of a form": quote_plus,
    "json": lambda text: json.dumps(text)[1:-1],
    "json in UTF-8": lambda text: json.dumps(text, ensure_ascii=False)[1:-1],
    "json in json": lambda text: json.dumps(json.dumps(text))[3:-3],
    "python": lambda text: repr(text)[1:-1],
    "python in ascii": lambda text: ascii(text)[1:-1],
    "python's bytes": lambda text: repr(text.encode())[2:-1],
    "hexadecimal": lambda text: text.encode().hex(),
    "utf-16": lambda text: text.encode("utf-16-le"),
}


@rows("way", WAYS)
def test_a_secret_is_masked_in_whatever_way_it_is_written(way: str) -> None:
    written = WAYS[way](PASSWORD)
    raw = written if isinstance(written, bytes) else written.encode()
    assert Masks([PASSWORD]).masked(b"<" + raw + b">") == b"<***>"


@given(text=st.text(st.characters(codec="utf-8"), min_size=4), way=st.sampled_from(sorted(WAYS)))
def test_any_secret_is_masked_in_any_way(text: str, way: str) -> None:
    if way.endswith("small letters"):
        text = text.lower()
    written = WAYS[way](text)
    raw = written if isinstance(written, bytes) else written.encode()
    masks = Masks([text])
    assert len(raw) <= masks.longest
    assert raw not in masks.masked(b"\0\xff" + raw + b"\xff")


@rows("before", ["", "u", "us", "user:"])
def test_a_secret_is_masked_within_base64(before: str) -> None:
    secret = "x" * BASE64_BYTES_MIN + "\u00ff\u00fe?>"
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        text = encode(f"{before}{secret}".encode())
        masked = Masks([secret]).masked(text)
        assert b"***" in masked
        assert len(masked) - len(b"***") <= len(encode(before.encode()))


def test_secrets_that_touch_or_overlap_are_masked_whole() -> None:
    masks = Masks(["abcd", "cdef", "abc"])
    assert masks.masked(b"abcdef abc abd") == b"*** *** abd"


def test_what_chatd_itself_says_stays_readable_whatever_the_password_is() -> None:
    for password in ("postgres", "p", "chatd", "install"):
        masks = Masks(secrets_of({"URL": f"postgresql://u:{password}@db/shop"}))
        assert masks.masked(f"{NO_PSYCOPG}\n".encode()) == f"{NO_PSYCOPG}\n".encode()
        assert masks.masked(f"wrong: {password}!".encode()) == b"wrong: ***!"


def test_a_short_password_is_masked_as_a_word_of_its_own() -> None:
    masks = Masks(["p"])
    written, shown = b"psycopg: password 'p' (p), up%70p", b"psycopg: password '***' (***), up%70p"
    assert masks.masked(written) == shown


def test_a_password_in_an_address_is_masked_though_nobody_knew_it() -> None:
    text = b"cannot reach postgresql://reader:un/known@db:5432/sales at 10:30"
    assert Masks([]).masked(text) == b"cannot reach postgresql://reader:***@db:5432/sales at 10:30"


@rows(
    ("variables", "command", "secret"),
    [
        ({"DB_URL": "postgresql://a:b%3F@c/d"}, [], {"b%3F", "b?"}),
        ({"DSN": "host=db password=tiny user=a"}, [], {"tiny"}),
        ({"DSN": "host=db password='it s' user=a"}, [], {"it s"}),
        ({"DSN": "Server=db;Pwd=tiny;Database=x"}, [], {"tiny"}),
        ({"O": '{"connect_args": {"password": "tiny"}}'}, [], {"tiny"}),
        ({"URL": "mysql://db/d?user=a&password=q%40"}, [], {"q@"}),
        ({"PGPASSWORD": "x"}, [], {"x"}),
        ({"API_KEY": "x"}, [], {"x"}),
        ({"REGION": "eu-1"}, [], {"eu-1"}),
        ({"KEY": "first line\nsecond line\n"}, [], {"first line", "second line"}),
        ({}, ["--dsn", "mysql://a:tiny@c/d"], {"tiny"}),
        ({}, ["--password", "x"], {"x"}),
        ({}, ["--db-password=x"], {"x"}),
        ({}, shlex.split("sh -c 'run --token=tiny'"), {"tiny"}),
    ],
)
def test_what_is_secret_is_found(
    variables: dict[str, str], command: list[str], secret: set[str]
) -> None:
    assert secret <= secrets_of(variables, command)


@rows(
    ("variables", "command"),
    [({"DEBUG": "1"}, []), ({"EMPTY": ""}, []), ({"B": "  \n "}, []), ({}, ["http://[bad", "--x"])],
)
def test_what_is_none_is_not(variables: dict[str, str], command: list[str]) -> None:
    assert not secrets_of(variables, command) - {"  "}


@rows(
    ("secret", "text"),
    [
        ("\\" * 8 + "x", b"\\" * 8_000),
        ('"' * 8 + "x", b"\\" * 8_000),
        ("a b" * 50, b"://" * 3_000),
        ("x" * 3_000, b"x" * 8_000),
        ("%25" * 20 + "x", b"%25" * 3_000),
    ],
)
def test_no_text_makes_the_search_long(secret: str, text: bytes) -> None:
    assert Masks([secret]).masked(text) is not None


def test_the_address_of_a_database_is_a_secret_of_its_db_mcp() -> None:
    settings = DatabaseSettings(postgres="postgresql://reader:s3%40cret@db/shop")
    assert {settings.postgres, "s3%40cret", "s3@cret"} <= settings.secrets({})
