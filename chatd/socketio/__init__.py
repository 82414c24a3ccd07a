"""Socket.IO protocol 5, server side, without I/O: packet codec, binary assembly, namespaces.

Text and binary messages of Engine.IO go into a `Decoder`, its packets into `Namespaces`, which
says what they mean; answers are `Encoded`. A peer's breach is a `ProtocolError`, and no input
raises anything else.
"""

from chatd.socketio.decoder import Decoder as Decoder
from chatd.socketio.encoder import Encoded as Encoded
from chatd.socketio.encoder import ack_text as ack_text
from chatd.socketio.encoder import encode as encode
from chatd.socketio.encoder import event_text as event_text
from chatd.socketio.jsontext import MAX_NESTING as MAX_NESTING
from chatd.socketio.jsontext import dumps as dumps
from chatd.socketio.jsontext import dumps_plain as dumps_plain
from chatd.socketio.jsontext import loads as loads
from chatd.socketio.namespaces import MAX_NAMESPACES as MAX_NAMESPACES
from chatd.socketio.namespaces import MAX_OUTSTANDING_ACKS as MAX_OUTSTANDING_ACKS
from chatd.socketio.namespaces import AckReceived as AckReceived
from chatd.socketio.namespaces import ConnectRequested as ConnectRequested
from chatd.socketio.namespaces import LocalProtocolError as LocalProtocolError
from chatd.socketio.namespaces import NamespaceLeft as NamespaceLeft
from chatd.socketio.namespaces import Namespaces as Namespaces
from chatd.socketio.namespaces import Received as Received
from chatd.socketio.namespaces import TooManyAcks as TooManyAcks
from chatd.socketio.packet import MAIN_NAMESPACE as MAIN_NAMESPACE
from chatd.socketio.packet import MAX_ACK_ID as MAX_ACK_ID
from chatd.socketio.packet import MAX_ATTACHMENTS as MAX_ATTACHMENTS
from chatd.socketio.packet import MAX_NAMESPACE_CHARS as MAX_NAMESPACE_CHARS
from chatd.socketio.packet import RESERVED_EVENT_NAMES as RESERVED_EVENT_NAMES
from chatd.socketio.packet import Ack as Ack
from chatd.socketio.packet import Connect as Connect
from chatd.socketio.packet import ConnectError as ConnectError
from chatd.socketio.packet import Disconnect as Disconnect
from chatd.socketio.packet import Event as Event
from chatd.socketio.packet import Packet as Packet
from chatd.socketio.packet import PacketType as PacketType
from chatd.socketio.packet import ProtocolError as ProtocolError
