"""Whose a request is, and what it was sent to, by the headers of proxies."""

from hypothesis import given
from hypothesis import strategies as st

from chatd.net.addresses import LOCAL, as_network
from chatd.net.http.arrival import FORWARDING, Arrival, ProxyHeaders, arrival_of
from chatd.net.http.reader import RequestReader
from tests.rows import rows

TRUSTED = tuple(map(as_network, ("10.0.0.0/8", "::1/128", "::ffff:172.16.0.0/108")))
PROXY, STRANGER = "10.0.0.1", "192.0.2.1"


def headers_of(text: str) -> dict[bytes, bytes]:
    """Lines of headers, as `Name: value`, one beside the other by ` | `; a Host where none is."""
    lines = [line.partition(": ") for line in text.split(" | ") if line]
    headers = {name.lower().encode(): value.encode("latin-1") for name, _, value in lines}
    return {b"host": b"inside", **headers}


def by(text: str, peer: str = PROXY, family: ProxyHeaders = ProxyHeaders.X_FORWARDED) -> Arrival:
    return arrival_of(headers_of(text), peer, TRUSTED, family)


def by_forwarded(text: str, peer: str = PROXY) -> Arrival:
    """The same by proxies that write `Forwarded`."""
    return by(text, peer, ProxyHeaders.FORWARDED)


@rows(
    ("peer", "forwarded_for", "address"),
    [
        ("192.0.2.1", None, "192.0.2.1"),
        ("192.0.2.1", "203.0.113.9", "192.0.2.1"),
        ("10.0.0.1", None, "10.0.0.1"),
        ("10.0.0.1", "203.0.113.9", "203.0.113.9"),
        ("::1", "2001:db8::1", "2001:db8::1"),
        ("10.0.0.1", "1.1.1.1, 203.0.113.9", "203.0.113.9"),
        ("10.0.0.1", "1.1.1.1, 203.0.113.9 , 10.2.3.4", "203.0.113.9"),
        ("10.0.0.1", "10.9.9.9, 10.2.3.4", "10.9.9.9"),
        ("10.0.0.1", "1.1.1.1, garbage", "10.0.0.1"),
        ("10.0.0.1", "1.1.1.1, unknown", "10.0.0.1"),
        ("10.0.0.1", "1.1.1.1, ", "10.0.0.1"),
        ("10.0.0.1", "1.1.1.1, garbage, 10.2.3.4", "10.2.3.4"),
        ("10.0.0.1", "", "10.0.0.1"),
        ("10.0.0.1", "203.0.113.9:50123", "203.0.113.9"),
        ("10.0.0.1", "1.1.1.1, [2001:DB8::0001]:443", "2001:db8::1"),
        ("10.0.0.1", "1.1.1.1, ::ffff:203.0.113.9", "203.0.113.9"),
        ("10.0.0.1", "203.0.113.9, ::ffff:10.2.3.4", "203.0.113.9"),
        ("::1", "203.0.113.9", "203.0.113.9"),
        ("172.17.0.1", "203.0.113.9", "203.0.113.9"),
        ("10.0.0.1", '1.1.1.1, "[2001:db8::1]:443"', "2001:db8::1"),
        ("10.0.0.1", "203.0.113.9:_hidden", "203.0.113.9"),
        ("10.0.0.1", "fe80::1%eth0", "fe80::1"),
        ("10.0.0.1", "203.0.113.9, [::ffff:10.2.3.4]:80, 10.2.3.5:99", "203.0.113.9"),
        ("10.0.0.1", "1.1.1.1, _hidden", "10.0.0.1"),
        ("10.0.0.1", "1.1.1.1, unix:", "local"),
        ("local", "203.0.113.9", "local"),
        ("unknown", "203.0.113.9", "unknown"),
        ("10.0.0.1", "local", "10.0.0.1"),
        ("10.0.0.1", "203.0.113.9" + ", 10.0.0.2" * 100, "10.0.0.2"),
        ("10.0.0.1", "," * 16_000, "10.0.0.1"),
        ("10.0.0.1", "1" * 16_000, "10.0.0.1"),
    ],
)
def test_the_client_is_whom_the_last_trusted_proxy_names(
    peer: str, forwarded_for: str | None, address: str
) -> None:
    text = "" if forwarded_for is None else f"X-Forwarded-For: {forwarded_for}"
    assert by(text, peer).address == address


@rows(
    ("text", "host", "scheme"),
    [
        ("", "inside", None),
        ("Host: chat.example", "chat.example", None),
        ("X-Forwarded-Host: chat.example", "chat.example", None),
        ("X-Forwarded-Host: chat.example:8443", "chat.example:8443", None),
        ("X-Forwarded-Host: [2001:db8::1]:8443", "[2001:db8::1]:8443", None),
        ("X-Forwarded-Host: ", "inside", None),
        # A proxy appends: what stands before its own word, its client wrote.
        ("X-Forwarded-Host: evil.example, chat.example", "chat.example", None),
        # Two of ours: the outer one was called by the client.
        (
            "X-Forwarded-For: 203.0.113.9, 10.2.3.4 | X-Forwarded-Host: chat.example, inner",
            "chat.example",
            None,
        ),
        (
            "X-Forwarded-For: 203.0.113.9, 10.2.3.4 | X-Forwarded-Host: evil, chat.example, inner",
            "chat.example",
            None,
        ),
        ("X-Forwarded-For: 203.0.113.9, 10.2.3.4 | X-Forwarded-Host: one", "one", None),
        ("X-Forwarded-For: 203.0.113.9, 8.8.8.8 | X-Forwarded-Host: evil, one", "one", None),
        # The port, where the host names none.
        ("Host: chat.example | X-Forwarded-Port: 8443", "chat.example:8443", None),
        ("X-Forwarded-Host: a.example | X-Forwarded-Port: 8443", "a.example:8443", None),
        ("X-Forwarded-Host: a.example:1 | X-Forwarded-Port: 8443", "a.example:1", None),
        ("Host: [::1] | X-Forwarded-Port: 8443", "[::1]:8443", None),
        ("Host: chat.example | X-Forwarded-Port: 443", "chat.example", None),
        ("Host: chat.example | X-Forwarded-Port: 80", "chat.example", None),
        ("Host: chat.example | X-Forwarded-Port: 0", "chat.example", None),
        ("Host: chat.example | X-Forwarded-Port: 65536", "chat.example", None),
        ("Host: chat.example | X-Forwarded-Port: 1e3", "chat.example", None),
        ("Host: chat.example | X-Forwarded-Port: ", "chat.example", None),
        # The scheme.
        ("X-Forwarded-Proto: https", "inside", "https"),
        ("X-Forwarded-Proto: HTTPS", "inside", "https"),
        ("X-Forwarded-Proto: wss", "inside", "https"),
        ("X-Forwarded-Proto: ws", "inside", "http"),
        ("X-Forwarded-Proto: http, https", "inside", "https"),
        ("X-Forwarded-Proto: gopher", "inside", None),
    ],
)
def test_the_host_is_what_the_client_called(text: str, host: str, scheme: str | None) -> None:
    arrival = by(text)
    assert (arrival.host, arrival.scheme) == (host, scheme)
    assert arrival.is_trusted
    assert arrival.is_forwarded


@rows(
    ("text", "host", "scheme"),
    [
        ("", "inside", None),
        ("Host: chat.example", "chat.example", None),
        ("Forwarded: for=203.0.113.9;host=chat.example;proto=https", "chat.example", "https"),
        ('Forwarded: For="[2001:db8::1]:1";HOST="chat.example:8443"', "chat.example:8443", None),
        ('Forwarded: host="[2001:db8::1]:8443"; proto=http', "[2001:db8::1]:8443", "http"),
        ('Forwarded: host="chat\\.example"', "chat.example", None),
        ('Forwarded: for="a,b;c";host=chat.example', "chat.example", None),
        ("Forwarded: host=evil.example, for=203.0.113.9;host=chat.example", "chat.example", None),
        ("Forwarded: for=203.0.113.9;host=one, for=10.2.3.4;host=two", "one", None),
        ("Forwarded: for=203.0.113.9, for=10.2.3.4;host=two;proto=https", "two", "https"),
        ("Forwarded: for=unknown;host=one", "one", None),
        ("Forwarded: host=one;host=two", "inside", None),
        ('Forwarded: host="one', "inside", None),
        ("Forwarded: host", "inside", None),
        ("Forwarded: ", "inside", None),
    ],
)
def test_the_host_is_what_forwarded_says_where_proxies_write_that(
    text: str, host: str, scheme: str | None
) -> None:
    arrival = by_forwarded(text)
    assert (arrival.host, arrival.scheme) == (host, scheme)
    assert arrival.is_trusted
    assert arrival.is_forwarded


@rows(
    ("text", "may_lack"),
    [
        ("Host: chat.example", True),
        ("Host: chat.example | X-Forwarded-For: 203.0.113.9", True),
        ("Host: chat.example:8443", False),
        ("Host: a@b", False),
        ("X-Forwarded-Host: chat.example", False),
        ("X-Forwarded-Port: 443", False),
    ],
)
def test_a_proxy_that_says_nothing_of_ports_may_have_left_one_out(
    text: str, may_lack: bool
) -> None:
    assert by(text).may_lack_port is may_lack
    assert not by(text, STRANGER).may_lack_port


def test_forwarded_without_a_host_says_nothing_of_ports() -> None:
    assert by_forwarded("Host: chat.example | Forwarded: for=203.0.113.9").may_lack_port
    assert not by_forwarded("Forwarded: host=chat.example").may_lack_port


@rows(
    ("text", "address"),
    [
        ("Forwarded: for=203.0.113.9", "203.0.113.9"),
        ('Forwarded: for="203.0.113.9:50123"', "203.0.113.9"),
        ('Forwarded: for="[2001:DB8::1]:50123";by=10.0.0.1', "2001:db8::1"),
        ("Forwarded: for=1.1.1.1, for=203.0.113.9", "203.0.113.9"),
        ("Forwarded: for=203.0.113.9, for=10.2.3.4", "203.0.113.9"),
        ("Forwarded: for=203.0.113.9, for=_hidden", PROXY),
        ("Forwarded: for=203.0.113.9, for=unknown", PROXY),
        ('Forwarded: for="203.0.113.9:_hidden"', "203.0.113.9"),
        ('Forwarded: for="[2001:db8::1]:_hidden"', "2001:db8::1"),
        ('Forwarded: for="[::ffff:203.0.113.9]"', "203.0.113.9"),
        ('Forwarded: for="[fe80::1%25eth0]"', "fe80::1"),
        # Without the quotes that these need.
        ("Forwarded: for=203.0.113.9:50123;proto=https", "203.0.113.9"),
        ("Forwarded: for=[2001:db8::1]:443, for=10.2.3.4:80", "2001:db8::1"),
        ("Forwarded: for=203.0.113.9, host=chat.example", PROXY),
        ("Forwarded: for=203.0.113.9" + ", for=10.0.0.2" * 100, "10.0.0.2"),
        ("Forwarded: " + '"' * 16_000, PROXY),
        ("Forwarded: " + "," * 16_000, PROXY),
        ("", PROXY),
    ],
)
def test_the_client_is_found_by_the_other_header_too(text: str, address: str) -> None:
    assert by_forwarded(text).address == address


X_FORWARDED = (
    "X-Forwarded-For: 203.0.113.9 | X-Forwarded-Host: chat.example:8443 | X-Forwarded-Proto: https"
)
OF_CLIENTS = [
    "Forwarded: for=6.6.6.6;host=evil.example;proto=http",
    "Forwarded: for=203.0.113.9",
    "Forwarded: x",
    "Forwarded: ",
]
FORWARDED = 'Forwarded: for=203.0.113.9;host="chat.example:8443";proto=https'
X_OF_CLIENTS = [
    "X-Forwarded-For: 6.6.6.6 | X-Forwarded-Host: evil.example | X-Forwarded-Proto: http",
    "X-Forwarded-For: 6.6.6.6, 10.2.3.4",
    "X-Forwarded-Port: 1",
    "X-Forwarded-For: ",
]


@rows("more", OF_CLIENTS)
def test_what_a_client_writes_of_the_other_family_changes_nothing(more: str) -> None:
    known = Arrival("203.0.113.9", "chat.example:8443", "https", is_trusted=True, is_forwarded=True)
    assert by(f"{X_FORWARDED} | {more}") == known


@rows("more", X_OF_CLIENTS)
def test_what_a_client_writes_of_the_first_family_changes_nothing_where_forwarded_is_read(
    more: str,
) -> None:
    known = Arrival("203.0.113.9", "chat.example:8443", "https", is_trusted=True, is_forwarded=True)
    assert by_forwarded(f"{FORWARDED} | {more}") == known


def test_headers_of_the_other_family_alone_are_not_read_and_that_is_told() -> None:
    unread = Arrival(
        *(PROXY, "inside"),
        is_trusted=True,
        is_forwarded=True,
        may_lack_port=True,
        is_unread=True,
    )
    assert by(FORWARDED) == unread
    assert by_forwarded(X_FORWARDED) == unread
    assert not by(FORWARDED, STRANGER).is_unread


def test_a_proxy_at_a_unix_socket_is_believed_where_those_are_trusted() -> None:
    trusted = (*TRUSTED, as_network("unix:"))
    for forwarded_for in ("203.0.113.9", "1.1.1.1, 203.0.113.9, unix:, 10.2.3.4"):
        headers = headers_of(f"X-Forwarded-For: {forwarded_for}")
        assert arrival_of(headers, LOCAL, trusted).address == "203.0.113.9"
        assert arrival_of(headers, LOCAL, TRUSTED) == Arrival(LOCAL, "inside", is_forwarded=True)


@rows(
    ("lines", "address"),
    [
        (["X-Forwarded-For: 1.1.1.1", "X-Forwarded-For: 203.0.113.9"], "203.0.113.9"),
        (["X-Forwarded-For: 203.0.113.9", "x-forwarded-for: 10.2.3.4"], "203.0.113.9"),
        (["Forwarded: for=1.1.1.1", 'Forwarded: for="203.0.113.9:1"'], "203.0.113.9"),
        (["Forwarded: for=203.0.113.9", "Forwarded: for=10.2.3.4"], "203.0.113.9"),
    ],
)
def test_several_headers_of_one_name_are_one_list(lines: list[str], address: str) -> None:
    is_forwarded = lines[0].startswith("Forwarded")
    family = ProxyHeaders.FORWARDED if is_forwarded else ProxyHeaders.X_FORWARDED
    reader = RequestReader(1000)
    reader.feed("\r\n".join(["GET / HTTP/1.1", "Host: inside", *lines, "", ""]).encode())
    head = reader.head()
    assert head is not None
    assert arrival_of(head.headers, PROXY, TRUSTED, family).address == address


@rows("name", sorted(FORWARDING))
def test_of_a_stranger_nothing_is_believed(name: bytes) -> None:
    headers = {b"host": b"chat.example", name: b"for=203.0.113.9;host=evil.example"}
    told = Arrival(STRANGER, "chat.example", is_forwarded=True)
    assert arrival_of(headers, STRANGER, TRUSTED) == told
    assert arrival_of(headers, PROXY, ()) == Arrival(PROXY, "chat.example", is_forwarded=True)


def test_who_comes_directly_says_nothing_of_proxies() -> None:
    assert by("Host: chat.example", STRANGER) == Arrival(STRANGER, "chat.example")
    assert arrival_of({}, STRANGER, TRUSTED) == Arrival(STRANGER, None)


@given(
    st.lists(st.sampled_from(sorted(FORWARDING)), unique=True),
    st.binary(max_size=60),
    st.sampled_from(ProxyHeaders),
)
def test_whatever_is_written_there_a_request_has_come_somehow(
    names: list[bytes], value: bytes, family: ProxyHeaders
) -> None:
    headers = {b"host": b"inside", **dict.fromkeys(names, value)}
    arrival = arrival_of(headers, PROXY, TRUSTED, family)
    assert arrival.address
    assert arrival.scheme in (None, "http", "https")
