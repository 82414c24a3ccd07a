"""Hosts and origins, matched as a whole: what is nearly one is not one."""

from chatd.net.http.authority import (
    KEPT_MAX,
    Host,
    WebOrigin,
    _read_origin,
    parse_host,
    parse_origin,
)
from tests.rows import rows


@rows(
    ("text", "host"),
    [
        ("localhost", Host("localhost", None)),
        ("LocalHost:80", Host("localhost", 80)),
        ("localhost.", Host("localhost.", None)),
        ("127.0.0.1:8765", Host("127.0.0.1", 8765)),
        ("chat.example", Host("chat.example", None)),
        ("my_service-2:65535", Host("my_service-2", 65535)),
        ("xn--mnchen-3ya.example", Host("xn--mnchen-3ya.example", None)),
        ("[::1]", Host("[::1]", None)),
        ("[::1]:80", Host("[::1]", 80)),
        ("[2001:DB8::1]:8765", Host("[2001:db8::1]", 8765)),
        ("[::ffff:127.0.0.1]", Host("[::ffff:127.0.0.1]", None)),
    ],
)
def test_a_host_is_a_name_and_perhaps_a_port(text: str, host: Host) -> None:
    assert parse_host(text) == host


NO_HOSTS = [
    "",
    ":",
    ":80",
    "localhost:",
    "localhost:abc",
    "localhost:80abc",
    "localhost:80:80",
    "localhost:-1",
    "localhost:+80",
    "localhost: 80",
    "localhost:0",
    "localhost:65536",
    "localhost:100000",
    "localhost:٨٠",
    "127.0.0.1:abc",
    "evil.example@127.0.0.1",
    "user:secret@localhost",
    "@localhost",
    "localhost@",
    "localhost/",
    "localhost/path",
    "localhost?",
    "localhost#",
    "localhost\\",
    "evil.example\\@localhost",
    "localhost,evil.example",
    "localhost evil.example",
    " localhost",
    "localhost ",
    "localhost\n",
    "localhost\t",
    "localhost\0",
    "localhost%00",
    "%6cocalhost",
    "lócalhost",
    "ﬀ.example",
    ".localhost",
    "a..b",
    "localhost..",
    "http://localhost",
    "//localhost",
    "::1",
    "[::1",
    "::1]",
    "[]",
    "[::1]x",
    "[::1]:",
    "[::1]:x",
    "[::1%eth0]",
    "[localhost]",
    "[[::1]]",
    "*",
    "x" * 256,
]


@rows("text", NO_HOSTS)
def test_what_is_nearly_a_host_is_none(text: str) -> None:
    assert parse_host(text) is None


@rows(
    ("text", "origin"),
    [
        ("http://localhost:5173", WebOrigin("http", Host("localhost", 5173))),
        ("HTTPS://Chat.Example", WebOrigin("https", Host("chat.example", None))),
        ("http://[::1]:3000", WebOrigin("http", Host("[::1]", 3000))),
        ("capacitor://localhost", WebOrigin("capacitor", Host("localhost", None))),
    ],
)
def test_an_origin_is_a_scheme_and_a_host(text: str, origin: WebOrigin) -> None:
    assert parse_origin(text) == origin


@rows(
    "text",
    [
        "null",
        "*",
        "localhost",
        "//localhost",
        "http:",
        "http:/localhost",
        "http:localhost",
        "http:///localhost",
        "://localhost",
        "1http://localhost",
        "ht tp://localhost",
        "http://localhost http://evil.example",
        "http://localhost, http://evil.example",
        "http://evil.example http://localhost",
        *(f"http://{text}" for text in NO_HOSTS),
    ],
)
def test_what_is_nearly_an_origin_is_none(text: str) -> None:
    assert parse_origin(text) is None


@rows(
    ("one", "other", "same"),
    [
        ("http://a", "http://a:80", True),
        ("https://a", "https://A:443", True),
        ("https://a", "https://a:80", False),
        ("http://a", "https://a", False),
        ("http://a", "http://a.", False),
        ("app://a", "app://a", True),
        ("app://a", "app://a:80", False),
    ],
)
def test_a_default_port_may_be_left_out(one: str, other: str, same: bool) -> None:
    first, second = parse_origin(one), parse_origin(other)
    assert first is not None
    assert second is not None
    assert (first.key == second.key) is same


def test_what_is_kept_of_origins_is_bounded_in_number_and_size() -> None:
    """Anybody may send as many as they like, each as long as a head."""
    for number in range(2 * KEPT_MAX):
        assert parse_origin(f"https://a{number}.example") is not None
    before = _read_origin.cache_info()
    assert before.currsize == KEPT_MAX
    assert parse_origin("a" * 10_000 + "://long.example") is not None
    assert parse_host("long." * 2_000 + "example") is None
    assert _read_origin.cache_info() == before
