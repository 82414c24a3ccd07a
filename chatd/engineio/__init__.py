"""Engine.IO 4, the server's side, without input or output.

Packets and payloads turn bytes into values and back; the handshake checks requests; heartbeat and
upgrade are machines that are told what happened and when, and answer with what to do. Nothing here
knows a socket, a clock, a task or the layer above.
"""

from chatd.engineio.handshake import (
    POLLING,
    WEBSOCKET,
    Query,
    Refusal,
    check_request,
    open_packet,
    parse_query,
)
from chatd.engineio.heartbeat import Heartbeat, HeartbeatAction, HeartbeatSettings
from chatd.engineio.packet import (
    Packet,
    PacketType,
    ProtocolError,
    decode_text,
    encode_binary,
    encode_text,
)
from chatd.engineio.payload import (
    MAX_PACKETS_PER_RESPONSE,
    decode_payload,
    encode_payload,
)
from chatd.engineio.upgrade import (
    PROBE,
    Upgrade,
    UpgradeAction,
    UpgradeInput,
    UpgradeState,
    classify,
)

__all__ = [
    "MAX_PACKETS_PER_RESPONSE",
    "POLLING",
    "PROBE",
    "WEBSOCKET",
    "Heartbeat",
    "HeartbeatAction",
    "HeartbeatSettings",
    "Packet",
    "PacketType",
    "ProtocolError",
    "Query",
    "Refusal",
    "Upgrade",
    "UpgradeAction",
    "UpgradeInput",
    "UpgradeState",
    "check_request",
    "classify",
    "decode_payload",
    "decode_text",
    "encode_binary",
    "encode_payload",
    "encode_text",
    "open_packet",
    "parse_query",
]
