"""Engine.IO 4, the server's side, without input or output.

Packets and payloads turn bytes into values and back; the handshake checks requests; heartbeat and
upgrade are machines that take what happened and when, and return what to do. Nothing here knows a
socket, a clock, a task or the layer above.
"""

from chatd.engineio.handshake import POLLING as POLLING
from chatd.engineio.handshake import WEBSOCKET as WEBSOCKET
from chatd.engineio.handshake import Query as Query
from chatd.engineio.handshake import Refusal as Refusal
from chatd.engineio.handshake import check_request as check_request
from chatd.engineio.handshake import open_packet as open_packet
from chatd.engineio.handshake import parse_query as parse_query
from chatd.engineio.heartbeat import Heartbeat as Heartbeat
from chatd.engineio.heartbeat import HeartbeatAction as HeartbeatAction
from chatd.engineio.heartbeat import HeartbeatSettings as HeartbeatSettings
from chatd.engineio.packet import Packet as Packet
from chatd.engineio.packet import PacketType as PacketType
from chatd.engineio.packet import ProtocolError as ProtocolError
from chatd.engineio.packet import decode_text as decode_text
from chatd.engineio.packet import encode_binary as encode_binary
from chatd.engineio.packet import encode_text as encode_text
from chatd.engineio.payload import MAX_PACKETS_PER_RESPONSE as MAX_PACKETS_PER_RESPONSE
from chatd.engineio.payload import decode_payload as decode_payload
from chatd.engineio.payload import encode_payload as encode_payload
from chatd.engineio.upgrade import Upgrade as Upgrade
from chatd.engineio.upgrade import UpgradeAction as UpgradeAction
from chatd.engineio.upgrade import UpgradeInput as UpgradeInput
from chatd.engineio.upgrade import UpgradeState as UpgradeState
from chatd.engineio.upgrade import classify as classify
