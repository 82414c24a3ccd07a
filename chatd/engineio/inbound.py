"""What a packet from a client asks for, once its transport carries the session.

While a WebSocket is still being probed, `upgrade` decides instead.

| packet                        | reaction                                                   |
|-------------------------------|------------------------------------------------------------|
| MESSAGE                       | DELIVER to the layer above                                 |
| PONG, with any data           | RE_ARM the heartbeat, even when no ping is out             |
| CLOSE                         | END the session; what follows in the payload is not read   |
| PING, also `2probe`           | BREACH: in version 4 only servers ping; close              |
| OPEN, UPGRADE, NOOP           | IGNORE                                                     |

Source: WIRE d2 (by POST) and d3 (by WebSocket); the two agree.
"""

import enum

from chatd.engineio.packet import PacketType


class Reaction(enum.Enum):
    """What the session does with a packet."""

    DELIVER = enum.auto()
    RE_ARM = enum.auto()
    END = enum.auto()
    BREACH = enum.auto()
    IGNORE = enum.auto()


_REACTIONS = {
    PacketType.MESSAGE: Reaction.DELIVER,
    PacketType.PONG: Reaction.RE_ARM,
    PacketType.CLOSE: Reaction.END,
    PacketType.PING: Reaction.BREACH,
    PacketType.OPEN: Reaction.IGNORE,
    PacketType.UPGRADE: Reaction.IGNORE,
    PacketType.NOOP: Reaction.IGNORE,
}


def reaction_to(packet_type: PacketType) -> Reaction:
    """What the session does with a packet of this type from a client."""
    return _REACTIONS[packet_type]
