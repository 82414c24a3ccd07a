import time

from hypothesis import given
from hypothesis import strategies as st

from chatd.engineio.handshake import Refusal, check_request, open_packet, parse_query
from tests.rows import rows

CARRIERS = {"P": "polling", "W": "websocket"}


def check(
    raw: bytes,
    method: str = "GET",
    *,
    is_upgrade: bool = False,
    is_allowed: bool = True,
    origin: bytes | None = None,
) -> Refusal | None:
    return check_request(
        parse_query(raw),
        method,
        is_upgrade=is_upgrade,
        lookup=CARRIERS.get,
        is_allowed=is_allowed,
        origin=origin,
    )


def test_the_open_packet_is_compact_and_in_the_order_of_node() -> None:
    assert open_packet("X", ("websocket",), 300, 200, 1_000_000) == (
        b'0{"sid":"X","upgrades":["websocket"],"pingInterval":300,"pingTimeout":200,'
        b'"maxPayload":1000000}'
    )
    assert b'"upgrades":[]' in open_packet("X", (), 300, 200, 100)


@rows(
    ("refusal", "body"),
    [
        (Refusal.UNKNOWN_TRANSPORT, b'{"code":0,"message":"Transport unknown"}'),
        (Refusal.UNKNOWN_SID, b'{"code":1,"message":"Session ID unknown"}'),
        (Refusal.BAD_HANDSHAKE_METHOD, b'{"code":2,"message":"Bad handshake method"}'),
        (Refusal.BAD_REQUEST, b'{"code":3,"message":"Bad request"}'),
        (Refusal.FORBIDDEN, b'{"code":4,"message":"Forbidden"}'),
        (
            Refusal.UNSUPPORTED_PROTOCOL_VERSION,
            b'{"code":5,"message":"Unsupported protocol version"}',
        ),
    ],
)
def test_a_refusal_has_the_body_of_the_reference(refusal: Refusal, body: bytes) -> None:
    assert refusal.body() == body
    assert refusal.status == (403 if refusal is Refusal.FORBIDDEN else 400)


@rows(
    ("raw", "parameters"),
    [
        (b"", {}),
        (b"EIO=4&transport=websocket", {"EIO": "4", "transport": "websocket"}),
        (b"transport=polling&EIO=4&t=x1", {"transport": "polling", "EIO": "4", "t": "x1"}),
        (b"&&a=1&", {"a": "1"}),
        (b"a&b=&=c", {"a": "", "b": "", "": "c"}),
        (b"a=b=c", {"a": "b=c"}),
        (b"a=1&a=2", {"a": "1"}),
        (b"t%6Fken=a%20b+c%2B%26", {"token": "a b c+&"}),
        (b"a=%D1%8F&b=\xd1\x8f", {"a": "я", "b": "я"}),
        (b"a=%ff&b=\xff", {"a": "\ufffd", "b": "\ufffd"}),
        (b"a=%zz&b=%&c=100%", {"a": "%zz", "b": "%", "c": "100%"}),
        (b"__proto__=1", {"__proto__": "1"}),
    ],
)
def test_a_query_gives_all_its_parameters(raw: bytes, parameters: dict[str, str]) -> None:
    assert parse_query(raw).parameters == parameters


def test_the_parameters_of_the_protocol_have_fields() -> None:
    query = parse_query(b"EIO=4&transport=polling&sid=X&token=T")
    assert (query.eio, query.transport, query.sid) == ("4", "polling", "X")
    query = parse_query(b"sid=")
    assert (query.eio, query.transport, query.sid) == (None, None, None)


@given(st.binary() | st.text(alphabet="a=&%+0fé").map(str.encode))
def test_any_query_can_be_read(raw: bytes) -> None:
    for name, value in parse_query(raw).parameters.items():
        (name + value).encode()


def test_a_hostile_query_is_bounded() -> None:
    many = b"&".join(b"p%d=1" % number for number in range(100_000))
    started = time.process_time()
    assert len(parse_query(many).parameters) == 1000
    assert time.process_time() - started < 5


@rows(
    "raw",
    [
        b"",
        b"EIO=4",
        b"EIO=4&transport=",
        b"EIO=4&transport=abc",
        b"EIO=4&transport=webtransport",
        b"EIO=4&transport=constructor",
        b"EIO=4&transport=Polling",
        b"transport=abc&sid=nobody",
    ],
)
@rows("method", ["GET", "POST", "OPTIONS"])
def test_the_transport_is_checked_first(raw: bytes, method: str) -> None:
    refusal = check(raw, method, is_allowed=False, origin=b"\x00")
    assert refusal is Refusal.UNKNOWN_TRANSPORT


@rows(
    ("raw", "method", "is_upgrade", "expected"),
    [
        (b"EIO=4&transport=polling", "GET", False, None),
        (b"EIO=4&transport=polling&sid=", "GET", False, None),
        (b"EIO=4&transport=websocket", "GET", True, None),
        (b"EIO=4&transport=polling&b64=1&t=a&t=b", "GET", False, None),
        # sid
        (b"transport=polling&sid=nobody", "GET", False, Refusal.UNKNOWN_SID),
        (b"transport=polling&sid=nobody", "PUT", False, Refusal.UNKNOWN_SID),
        (b"transport=polling&sid=__proto__", "POST", False, Refusal.UNKNOWN_SID),
        (b"transport=websocket&sid=nobody", "GET", True, Refusal.UNKNOWN_SID),
        # the transport of the session; EIO is not looked at
        (b"transport=polling&sid=P", "GET", False, None),
        (b"EIO=3&transport=polling&sid=P", "POST", False, None),
        (b"transport=polling&sid=W", "GET", False, Refusal.BAD_REQUEST),
        (b"transport=polling&sid=W", "POST", False, Refusal.BAD_REQUEST),
        (b"transport=websocket&sid=P", "GET", False, Refusal.NO_UPGRADE),
        (b"transport=websocket&sid=W", "GET", False, Refusal.NO_UPGRADE),
        (b"transport=websocket&sid=P", "GET", True, None),
        (b"transport=websocket&sid=W", "GET", True, None),
        (b"transport=polling&sid=P", "GET", True, Refusal.BAD_REQUEST),
        # methods of a session
        (b"transport=polling&sid=P", "PUT", False, Refusal.BAD_REQUEST),
        (b"transport=polling&sid=P", "DELETE", False, Refusal.BAD_REQUEST),
        (b"transport=polling&sid=P", "HEAD", False, Refusal.BAD_REQUEST),
        (b"transport=websocket&sid=P", "POST", True, Refusal.BAD_REQUEST),
        # methods of a handshake
        (b"transport=polling", "POST", False, Refusal.BAD_HANDSHAKE_METHOD),
        (b"transport=polling", "PUT", False, Refusal.BAD_HANDSHAKE_METHOD),
        (b"transport=polling", "DELETE", False, Refusal.BAD_HANDSHAKE_METHOD),
        (b"transport=polling", "HEAD", False, Refusal.BAD_HANDSHAKE_METHOD),
        (b"transport=polling", "OPTIONS", False, Refusal.BAD_HANDSHAKE_METHOD),
        (b"transport=websocket", "POST", False, Refusal.BAD_HANDSHAKE_METHOD),
        # upgrade
        (b"transport=websocket", "GET", False, Refusal.NO_UPGRADE),
        (b"EIO=4&transport=polling", "GET", True, Refusal.BAD_REQUEST),
        # EIO
        (b"transport=polling", "GET", False, Refusal.UNSUPPORTED_PROTOCOL_VERSION),
        (b"EIO=3&transport=polling", "GET", False, Refusal.UNSUPPORTED_PROTOCOL_VERSION),
        (b"EIO=5&transport=polling", "GET", False, Refusal.UNSUPPORTED_PROTOCOL_VERSION),
        (b"EIO=abc&transport=websocket", "GET", True, Refusal.UNSUPPORTED_PROTOCOL_VERSION),
    ],
)
def test_requests_are_checked_as_the_reference_does(
    raw: bytes, method: str, *, is_upgrade: bool, expected: Refusal | None
) -> None:
    assert check(raw, method, is_upgrade=is_upgrade) is expected


def test_the_verdict_of_the_server_comes_after_the_form_and_before_the_version() -> None:
    def judge(raw: bytes, method: str = "GET") -> Refusal | None:
        return check(raw, method, is_allowed=False)

    assert judge(b"transport=polling", "POST") is Refusal.BAD_HANDSHAKE_METHOD
    assert judge(b"transport=websocket") is Refusal.NO_UPGRADE
    assert judge(b"EIO=3&transport=polling") is Refusal.FORBIDDEN
    assert judge(b"transport=polling&sid=nobody") is Refusal.UNKNOWN_SID
    assert judge(b"transport=polling&sid=P") is Refusal.FORBIDDEN


@rows(
    ("origin", "expected"),
    [
        (None, None),
        (b"", None),
        (b"null", None),
        (b"https://example.org", None),
        (b"\xe9", None),
        (b"a\x00b", Refusal.BAD_REQUEST),
        (b"a\x7f", Refusal.BAD_REQUEST),
        (b"a\n", Refusal.BAD_REQUEST),
    ],
)
def test_control_characters_in_the_origin_are_a_bad_request(
    origin: bytes | None, expected: Refusal | None
) -> None:
    assert check(b"EIO=4&transport=polling", origin=origin) is expected
    if expected is not None:
        assert check(b"transport=polling&sid=nobody", origin=origin) is expected
