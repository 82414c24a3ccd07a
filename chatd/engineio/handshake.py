"""The first packet, and the checks that a request passes before a session sees it.

Owns the reference server's error codes, the reading of the query, and the order of the checks.
Knows no HTTP beyond method and query. Source: Engine.IO 4, "Handshake"; the codes and their order
were measured (docs/architecture, "What real peers send").
"""

import enum
import re
from collections.abc import Callable, Mapping
from typing import Final
from urllib.parse import unquote_plus

import attrs
import orjson

from chatd.engineio.packet import PacketType

POLLING: Final = "polling"
WEBSOCKET: Final = "websocket"

_PROTOCOL_VERSION: Final = "4"

# Parameters of one query; 1,000 is what Node reads. Further ones are not looked at.
_MAX_PARAMETERS: Final = 1000

# What Node allows in the value of a header: no control characters but the tab.
_HEADER_VALUE: Final = re.compile(rb"[\t\x20-\x7e\x80-\xff]*")


def open_packet(
    sid: str,
    upgrades: tuple[str, ...],
    ping_interval_ms: int,
    ping_timeout_ms: int,
    max_payload_bytes: int,
) -> bytes:
    """The OPEN packet, with its keys in Node's order.

    `upgrades` is `("websocket",)` for a polling session that may be upgraded, otherwise empty.
    """
    fields = {
        "sid": sid,
        "upgrades": upgrades,
        "pingInterval": ping_interval_ms,
        "pingTimeout": ping_timeout_ms,
        "maxPayload": max_payload_bytes,
    }
    return PacketType.OPEN.value.encode() + orjson.dumps(fields)


class Refusal(enum.Enum):
    """Why a request is refused: the code and message of the reference server."""

    UNKNOWN_TRANSPORT = (0, "Transport unknown")
    UNKNOWN_SID = (1, "Session ID unknown")
    BAD_HANDSHAKE_METHOD = (2, "Bad handshake method")
    BAD_REQUEST = (3, "Bad request")
    FORBIDDEN = (4, "Forbidden")
    UNSUPPORTED_PROTOCOL_VERSION = (5, "Unsupported protocol version")
    NO_UPGRADE = (
        3,
        "This WebSocket lacks the headers Upgrade and Connection; a proxy has to pass them on.",
    )
    """A good request that a proxy has turned into a bad one; the reference server answers it like
    any other bad request."""

    def __init__(self, code: int, message: str) -> None:
        self.code = code
        self.message = message

    @property
    def status(self) -> int:
        """The HTTP status. What is forbidden is 403 by polling and WebSocket alike; the reference
        server answers a WebSocket with 400."""
        return 403 if self is Refusal.FORBIDDEN else 400

    def body(self, message: str | None = None) -> bytes:
        """Compact JSON for a polling request; a given `message`, if more is known, replaces its
        own. A WebSocket's handshake gets the bare message, as `text/html`."""
        return orjson.dumps({"code": self.code, "message": message or self.message})


@attrs.frozen
class Query:
    """The parameters of a request. Those that a client left out are None, and so is an empty `sid`.

    `parameters` has every name and value, decoded, the three below among them.
    """

    transport: str | None
    sid: str | None
    eio: str | None
    parameters: Mapping[str, str]


def parse_query(raw: bytes) -> Query:
    """The query of a URL, without its question mark, for instance `EIO=4&transport=websocket`.

    Never fails. Percent and plus are decoded as UTF-8, what is not UTF-8 becomes U+FFFD, a `%` that
    begins no escape stays, a name without `=` has the value "". Of a repeated name the first value
    counts; Node makes an array of them, and so refuses a repeated `transport` as unknown. Unknown
    names, such as `t`, are kept.
    """
    parameters: dict[str, str] = {}
    for field in raw.decode("utf-8", "replace").split("&", _MAX_PARAMETERS)[:_MAX_PARAMETERS]:
        if field:
            name, _, value = field.partition("=")
            if "%" in field or "+" in field:
                name, value = unquote_plus(name), unquote_plus(value)
            parameters.setdefault(name, value)
    return Query(
        transport=parameters.get("transport"),
        sid=parameters.get("sid") or None,
        eio=parameters.get("EIO"),
        parameters=parameters,
    )


def check_request(
    query: Query,
    method: str,
    *,
    is_upgrade: bool,
    lookup: Callable[[str], str | None],
    is_allowed: bool = True,
    origin: bytes | None = None,
) -> Refusal | None:
    """The refusal of a request, or None when it may go on.

    `is_upgrade`: it asks for a WebSocket. `lookup` gives the name of the transport that carries a
    session now, None for an unknown sid. `is_allowed`: the server's own verdict (origin, host).
    `origin`: the header, if any.

    The first breach in this order counts: transport (0), bytes of the origin (3), then

    - with a sid: sid (1), transport of the session (3), method (3), verdict (4). A WebSocket for a
      session that polls is an upgrade, and one for a session on WebSocket goes on too: `upgrade`
      refuses it after the 101. Methods other than GET and POST break Node (500); here they are 3.
      Node asks for no verdict on later requests, but an origin that may not open a session may
      not use one either.
    - without a sid: method (2), WebSocket exactly when it is an upgrade (3; with a sentence of its
    own if the upgrade is missing, as a proxy may have dropped its headers), verdict (4), `EIO` (5).
    Node finds the wrong `EIO` of a WebSocket only after the 101, in a broken stream.
    """
    transport = query.transport
    if transport not in (POLLING, WEBSOCKET):
        return Refusal.UNKNOWN_TRANSPORT
    if origin is not None and _HEADER_VALUE.fullmatch(origin) is None:
        return Refusal.BAD_REQUEST
    if query.sid is None:
        return _check_opening(query, method, is_upgrade=is_upgrade, is_allowed=is_allowed)
    carrier = lookup(query.sid)
    if carrier is None:
        return Refusal.UNKNOWN_SID
    if transport == WEBSOCKET and not is_upgrade:
        return Refusal.NO_UPGRADE
    if (is_upgrade and transport != WEBSOCKET) or (not is_upgrade and carrier != transport):
        return Refusal.BAD_REQUEST
    if method != "GET" and (is_upgrade or method != "POST"):
        return Refusal.BAD_REQUEST
    return None if is_allowed else Refusal.FORBIDDEN


def _check_opening(
    query: Query, method: str, *, is_upgrade: bool, is_allowed: bool
) -> Refusal | None:
    if method != "GET":
        return Refusal.BAD_HANDSHAKE_METHOD
    if query.transport == WEBSOCKET and not is_upgrade:
        return Refusal.NO_UPGRADE
    if is_upgrade and query.transport != WEBSOCKET:
        return Refusal.BAD_REQUEST
    if not is_allowed:
        return Refusal.FORBIDDEN
    if query.eio != _PROTOCOL_VERSION:
        return Refusal.UNSUPPORTED_PROTOCOL_VERSION
    return None
