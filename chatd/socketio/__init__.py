"""Socket.IO protocol 5, server side, without I/O: packet codec, binary assembly, namespaces.

Text and binary messages of Engine.IO go into a `Decoder`, its packets into `Namespaces`, which
says what they mean; answers are `Encoded`. A peer's breach is a `ProtocolError`, and no input
raises anything else.
"""

from .assembly import DEFAULT_MAX_ATTACHMENT_BYTES
from .decoder import Decoder
from .encoder import Encoded, ack_text, encode, event_text
from .jsontext import MAX_NESTING, dumps, dumps_plain, loads
from .namespaces import (
    MAX_NAMESPACES,
    MAX_OUTSTANDING_ACKS,
    AckReceived,
    ConnectRequested,
    LocalProtocolError,
    NamespaceLeft,
    Namespaces,
    Received,
    TooManyAcks,
)
from .packet import (
    MAIN_NAMESPACE,
    MAX_ACK_ID,
    MAX_ATTACHMENTS,
    MAX_NAMESPACE_CHARS,
    RESERVED_EVENT_NAMES,
    Ack,
    Connect,
    ConnectError,
    Disconnect,
    Event,
    Packet,
    PacketType,
    ProtocolError,
)

__all__ = [
    "DEFAULT_MAX_ATTACHMENT_BYTES",
    "MAIN_NAMESPACE",
    "MAX_ACK_ID",
    "MAX_ATTACHMENTS",
    "MAX_NAMESPACES",
    "MAX_NAMESPACE_CHARS",
    "MAX_NESTING",
    "MAX_OUTSTANDING_ACKS",
    "RESERVED_EVENT_NAMES",
    "Ack",
    "AckReceived",
    "Connect",
    "ConnectError",
    "ConnectRequested",
    "Decoder",
    "Disconnect",
    "Encoded",
    "Event",
    "LocalProtocolError",
    "NamespaceLeft",
    "Namespaces",
    "Packet",
    "PacketType",
    "ProtocolError",
    "Received",
    "TooManyAcks",
    "ack_text",
    "dumps",
    "dumps_plain",
    "encode",
    "event_text",
    "loads",
]
