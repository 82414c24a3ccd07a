"""The packets of Socket.IO protocol 5, as values, and the exception for a peer that breaks the
protocol.

Owns: the packet types with their digits, the reserved event names, the limits of the protocol.
Must not know: how a packet is written (`encoder`), read (`decoder`), or when it is legal
(`namespaces`).
Source: Socket.IO protocol 5, "Packet encoding"; socket.io-parser 4.2.6.

BINARY_EVENT and BINARY_ACK exist on the wire only: as values they are an `Event` and an `Ack`
whose arguments hold `bytes`.
"""

from __future__ import annotations

from enum import Enum
from typing import Any, Final, TypeAlias

import attrs

from .static import statically_frozen

MAIN_NAMESPACE: Final = "/"

MAX_ACK_ID: Final = 2**53
"""The largest ack id that a peer may use; beyond it Node's numbers are not exact."""

MAX_ATTACHMENTS: Final = 10
"""Binary attachments of one packet, both ways. Stock clients since socket.io-parser 4.2.6 close
the connection at the eleventh (CVE-2026-33151)."""

MAX_NAMESPACE_CHARS: Final = 4096
"""Length of a namespace's name, a query part included. Beyond it: `ProtocolError`."""

RESERVED_EVENT_NAMES: Final = frozenset(
    {
        "connect",
        "connect_error",
        "disconnect",
        "disconnecting",
        "newListener",
        "removeListener",
    }
)
"""Names that mean something to the stock client or server itself; never sent as an event."""


class ProtocolError(Exception):
    """The peer has broken the protocol: end its session, and no others.

    The message is one sentence and holds nothing that the peer sent.
    """


class PacketType(Enum):
    """The first character of every packet (Socket.IO protocol 5, "Packet types")."""

    CONNECT = "0"
    DISCONNECT = "1"
    EVENT = "2"
    ACK = "3"
    CONNECT_ERROR = "4"
    BINARY_EVENT = "5"
    BINARY_ACK = "6"


@attrs.frozen
class Connect:
    """A client asks to join `namespace`, or a server says that it has joined.

    `payload` is the client's credentials (`auth`), or the server's `{"sid": ...}`.
    """

    namespace: str
    payload: dict[str, Any] | None = None


@attrs.frozen
class Disconnect:
    """The sender leaves `namespace`; the connection and other namespaces stay."""

    namespace: str


@statically_frozen
class Event:
    """`args[0]` is the name, a string or a number; the others are JSON values and `bytes`.

    With an `ack_id` the sender waits for an `Ack` with the same id.
    """

    namespace: str
    args: list[Any]
    ack_id: int | None = None


@statically_frozen
class Ack:
    """The answer to an `Event`. An `ack_id` of None, which peers may send, answers nothing."""

    namespace: str
    ack_id: int | None
    args: list[Any]


@attrs.frozen
class ConnectError:
    """A server refuses `namespace`. `payload` is `{"message": ..., "data"?: ...}`."""

    namespace: str
    payload: dict[str, Any] | str


Packet: TypeAlias = Connect | Disconnect | Event | Ack | ConnectError


def is_event_name(name: object) -> bool:
    """Whether `name` may stand first in an event: a number, or a string that is not reserved.

    Booleans are not numbers here, as in JavaScript.
    """
    if type(name) is str:
        return name not in RESERVED_EVENT_NAMES
    return type(name) is int or type(name) is float
