"""Pure rules at the door: origins and hosts."""

from chatd.net.http.cors import CorsPolicy
from tests.rows import rows


@rows(
    ("origin", "host", "on_loopback", "elsewhere"),
    [
        (None, "chat.example", True, True),
        ("https://app.example", "chat.example", True, True),
        ("http://chat.example:8765", "chat.example:8765", True, True),
        ("https://CHAT.example", "chat.EXAMPLE", True, True),
        ("http://localhost:5173", "chat.example", True, False),
        ("http://127.0.0.1", "chat.example", True, False),
        ("http://[::1]:3000", "chat.example", True, False),
        ("http://localhost.evil.example", "chat.example", False, False),
        ("http://localhost@evil.example", "chat.example", False, False),
        ("https://evil.example", "chat.example", False, False),
        ("https://evil.example", None, False, False),
        ("null", "chat.example", False, False),
        ("", "chat.example", False, False),
        ("file://localhost", "chat.example", False, False),
        ("http://[", "chat.example", False, False),
        ("http://", "", False, False),
        ("https://app.example:443", "chat.example", True, True),
        ("https://APP.example", "chat.example", True, True),
        ("http://app.example", "chat.example", False, False),
        ("https://app.example.", "chat.example", False, False),
        ("https://app.example/", "chat.example", False, False),
        ("http://evil.example\\@localhost", "localhost", False, False),
        ("http://evil.example@localhost", "localhost", False, False),
        ("http://localhost\\@evil.example", "localhost", False, False),
        ("http://localhost:abc", "localhost", False, False),
        ("http://localhost:", "localhost", False, False),
        ("http://localhost/", "localhost", False, False),
        ("http://localhost.", "localhost", False, False),
        ("http://localhost evil", "localhost", False, False),
        ("http://localhost, http://evil.example", "localhost", False, False),
        ("http://localhost, http://localhost", "localhost", False, False),
        ("http://LOCALHOST", "chat.example", True, False),
        ("http://chat.example:80", "chat.example", True, True),
        ("https://chat.example", "chat.example:443", True, True),
        ("https://chat.example", "chat.example:80", False, False),
        ("http://chat.example:81", "chat.example", False, False),
        ("http://evil.example@chat.example", "evil.example@chat.example", False, False),
        ("http://a:abc", "a:abc", False, False),
        ("ftp://chat.example", "chat.example", False, False),
    ],
)
def test_which_pages_may_talk_to_us(
    origin: str | None, host: str | None, on_loopback: bool, elsewhere: bool
) -> None:
    allowed = ("https://app.example",)
    assert CorsPolicy(allowed, is_loopback=True).allows_origin(origin, host) is on_loopback
    assert CorsPolicy(allowed, is_loopback=False).allows_origin(origin, host) is elsewhere


def test_a_star_lets_every_page_in() -> None:
    rules = CorsPolicy(("*",), is_loopback=False)
    assert rules.allows_origin("https://anybody.example", "chat.example")
    assert rules.allows_origin("null", "chat.example")


@rows(
    ("host", "allowed"),
    [
        (None, True),
        ("localhost:8765", True),
        ("127.0.0.1", True),
        ("[::1]:8765", True),
        ("chat.example", True),
        ("evil.example", False),
        ("localhost.evil.example", False),
        ("", False),
        ("[", False),
        ("LOCALHOST", True),
        ("[::1]", True),
        ("chat.example:443", True),
        ("chat.example:8765", False),
        ("localhost.", False),
        ("127.0.0.1.", False),
        ("127.0.0.2", False),
        ("127.1", False),
        ("0x7f.0.0.1", False),
        ("[::]", False),
        ("[0:0:0:0:0:0:0:1]", False),
        ("evil.example@127.0.0.1", False),
        ("evil.example:80@localhost", False),
        ("127.0.0.1:abc", False),
        ("127.0.0.1:", False),
        ("127.0.0.1:99999", False),
        ("127.0.0.1/", False),
        ("localhost\\@evil.example", False),
        ("localhost, evil.example", False),
    ],
)
def test_on_loopback_the_host_is_checked_too(host: str | None, allowed: bool) -> None:
    origins = ("https://chat.example",)
    assert CorsPolicy(origins, is_loopback=True).allows_host(host) is allowed
    assert CorsPolicy(origins, is_loopback=False).allows_host(host) is True
