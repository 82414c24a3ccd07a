"""RFC 6455 for a server, without I/O: handshake, frames out, messages in.

Owns the bytes between a TCP stream and whole messages. It must not know sockets, tasks, clocks,
nor what a message means. Version 13 without extensions (section 9): every RSV bit is an error.
"""

from chatd.websocket.decoder import Decoder as Decoder
from chatd.websocket.frames import Close as Close
from chatd.websocket.frames import CloseCode as CloseCode
from chatd.websocket.frames import Event as Event
from chatd.websocket.frames import Fragments as Fragments
from chatd.websocket.frames import Opcode as Opcode
from chatd.websocket.frames import Ping as Ping
from chatd.websocket.frames import Pong as Pong
from chatd.websocket.frames import ProtocolError as ProtocolError
from chatd.websocket.frames import encode_binary as encode_binary
from chatd.websocket.frames import encode_close as encode_close
from chatd.websocket.frames import encode_ping as encode_ping
from chatd.websocket.frames import encode_pong as encode_pong
from chatd.websocket.frames import encode_text as encode_text
from chatd.websocket.frames import is_sendable_close_code as is_sendable_close_code
from chatd.websocket.handshake import accept_key as accept_key
from chatd.websocket.handshake import is_valid_key as is_valid_key
from chatd.websocket.handshake import switching_protocols as switching_protocols
