"""How a session moves from polling to a WebSocket: states and transitions, no bytes.

A client opens a WebSocket with the sid of its polling session, sends `2probe`, is answered
`3probe`, lets its last poll end, and sends `5`; from then on the WebSocket carries the session.
Until then the polling session must survive whatever happens to the WebSocket. Source: Engine.IO 4,
"Upgrade"; what that leaves open was measured (docs/architecture, "What real peers send").

States:

- POLLING: polling carries the session, no WebSocket is attached; also after a failed probe
- ATTACHED: a WebSocket with this sid was accepted, its `2probe` is due
- PROBED: the probe was answered, `5` is due; queued packets and pings wait for it
- PROBED_CLOSING: the same, and the server wants to close the session
- OVER: polling has ended, since a WebSocket carries the session, or since the session is over

`TRANSITIONS` says what each input does in each state. An entry without actions means that the
session treats the input as if this machine did not exist (a GET while polling), or that nothing is
to be done (a timer that was overtaken, input after the end). A breach has no entry: the WebSocket
that sent it is closed; the session has already let go of it. A WebSocket that was refused belongs
to no session: its packets and its loss are not input.
"""

import enum
from typing import Final, TypeAlias

from chatd.engineio.packet import Packet, PacketType, ProtocolError

PROBE: Final = "probe"


class UpgradeState(enum.Enum):
    """Where the session stands; see the module."""

    POLLING = enum.auto()
    ATTACHED = enum.auto()
    PROBED = enum.auto()
    PROBED_CLOSING = enum.auto()
    OVER = enum.auto()


class UpgradeInput(enum.Enum):
    """What can happen to a session and to the WebSocket that is attached to it."""

    WEBSOCKET_ATTACHED = enum.auto()
    PROBE_RECEIVED = enum.auto()  # `2probe` on the WebSocket
    UPGRADE_RECEIVED = enum.auto()  # `5` on the WebSocket
    OTHER_RECEIVED = enum.auto()  # any other message on it, even one that is not a packet
    POLL_ARRIVED = enum.auto()  # a GET of the session
    WEBSOCKET_LOST = enum.auto()  # the attached one has closed, or broken
    TIME_LIMIT_REACHED = enum.auto()  # `upgradeTimeout` after WEBSOCKET_ATTACHED
    CLIENT_CLOSED = enum.auto()  # `1` by POST; also a lost poll or a ping timeout
    SERVER_CLOSED = enum.auto()  # the server wants to end the session


class UpgradeAction(enum.Enum):
    """What the session does, in the order given."""

    SEND_PONG_PROBE = enum.auto()  # `3probe` on the WebSocket, past the queue
    # Answer the pending GET, if there is one, with `6` alone: at once, or at the next beat of 100
    # ms as Node does. Without this the client stalls until the next ping (engine.io-client#18).
    RELEASE_POLL_WITH_NOOP = enum.auto()
    SWITCH = enum.auto()  # the WebSocket carries the session: first what is queued, in order
    SWITCH_THEN_CLOSE = enum.auto()  # the same, then close it (engine.io#141)
    CLOSE_PROBE = enum.auto()  # close the attached WebSocket, without a code; the session lives
    REFUSE_SECOND = enum.auto()  # 101, then close the new one; the first is unharmed
    CLOSE_POLLING = enum.auto()  # `1` on the pending GET, or on the next


Transition: TypeAlias = tuple[UpgradeState, tuple[UpgradeAction, ...]]

_S = UpgradeState
_I = UpgradeInput
_A = UpgradeAction

TRANSITIONS: Final[dict[UpgradeState, dict[UpgradeInput, Transition]]] = {
    _S.POLLING: {
        _I.WEBSOCKET_ATTACHED: (_S.ATTACHED, ()),
        _I.POLL_ARRIVED: (_S.POLLING, ()),
        _I.WEBSOCKET_LOST: (_S.POLLING, ()),
        _I.TIME_LIMIT_REACHED: (_S.POLLING, ()),
        _I.CLIENT_CLOSED: (_S.OVER, ()),
        _I.SERVER_CLOSED: (_S.OVER, (_A.CLOSE_POLLING,)),
    },
    _S.ATTACHED: {
        _I.WEBSOCKET_ATTACHED: (_S.ATTACHED, (_A.REFUSE_SECOND,)),
        _I.PROBE_RECEIVED: (_S.PROBED, (_A.SEND_PONG_PROBE, _A.RELEASE_POLL_WITH_NOOP)),
        _I.UPGRADE_RECEIVED: (_S.POLLING, (_A.CLOSE_PROBE,)),
        _I.OTHER_RECEIVED: (_S.POLLING, (_A.CLOSE_PROBE,)),
        _I.POLL_ARRIVED: (_S.ATTACHED, ()),
        _I.WEBSOCKET_LOST: (_S.POLLING, ()),
        _I.TIME_LIMIT_REACHED: (_S.POLLING, (_A.CLOSE_PROBE,)),
        _I.CLIENT_CLOSED: (_S.OVER, (_A.CLOSE_PROBE,)),
        _I.SERVER_CLOSED: (_S.OVER, (_A.CLOSE_PROBE, _A.CLOSE_POLLING)),
    },
    _S.PROBED: {
        _I.WEBSOCKET_ATTACHED: (_S.PROBED, (_A.REFUSE_SECOND,)),
        _I.PROBE_RECEIVED: (_S.PROBED, (_A.SEND_PONG_PROBE,)),
        _I.UPGRADE_RECEIVED: (_S.OVER, (_A.RELEASE_POLL_WITH_NOOP, _A.SWITCH)),
        _I.OTHER_RECEIVED: (_S.POLLING, (_A.CLOSE_PROBE,)),
        _I.POLL_ARRIVED: (_S.PROBED, (_A.RELEASE_POLL_WITH_NOOP,)),
        _I.WEBSOCKET_LOST: (_S.POLLING, ()),
        _I.TIME_LIMIT_REACHED: (_S.POLLING, (_A.CLOSE_PROBE,)),
        _I.CLIENT_CLOSED: (_S.OVER, (_A.CLOSE_PROBE,)),
        _I.SERVER_CLOSED: (_S.PROBED_CLOSING, ()),
    },
    _S.PROBED_CLOSING: {
        _I.WEBSOCKET_ATTACHED: (_S.PROBED_CLOSING, (_A.REFUSE_SECOND,)),
        _I.PROBE_RECEIVED: (_S.PROBED_CLOSING, (_A.SEND_PONG_PROBE,)),
        _I.UPGRADE_RECEIVED: (_S.OVER, (_A.RELEASE_POLL_WITH_NOOP, _A.SWITCH_THEN_CLOSE)),
        _I.OTHER_RECEIVED: (_S.OVER, (_A.CLOSE_PROBE, _A.CLOSE_POLLING)),
        _I.POLL_ARRIVED: (_S.PROBED_CLOSING, (_A.RELEASE_POLL_WITH_NOOP,)),
        _I.WEBSOCKET_LOST: (_S.OVER, (_A.CLOSE_POLLING,)),
        _I.TIME_LIMIT_REACHED: (_S.OVER, (_A.CLOSE_PROBE, _A.CLOSE_POLLING)),
        _I.CLIENT_CLOSED: (_S.OVER, (_A.CLOSE_PROBE,)),
        _I.SERVER_CLOSED: (_S.PROBED_CLOSING, ()),
    },
    _S.OVER: {
        **dict.fromkeys(_I, (_S.OVER, ())),
        _I.WEBSOCKET_ATTACHED: (_S.OVER, (_A.REFUSE_SECOND,)),
    },
}


class Upgrade:
    """The machine of one session that polls. `__slots__`, as there is one for each such session."""

    __slots__ = ("state",)

    def __init__(self, state: UpgradeState = UpgradeState.POLLING) -> None:
        self.state = state

    @property
    def holds_queue(self) -> bool:
        """Whether packets and pings wait: GETs get `6` alone, the rest goes out after `5`."""
        return self.state in (UpgradeState.PROBED, UpgradeState.PROBED_CLOSING)

    def receive(self, happened: UpgradeInput) -> tuple[UpgradeAction, ...]:
        """Take one step; the actions are to be carried out in order, before the next step.

        Raises `ProtocolError`, and keeps its state, when the table has no entry: close that
        WebSocket.
        """
        transition = TRANSITIONS[self.state].get(happened)
        if transition is None:
            raise ProtocolError(f"{happened.name} is not allowed while {self.state.name}.")
        self.state, actions = transition
        return actions


def classify(packet: Packet) -> UpgradeInput:
    """Which input a packet on the attached WebSocket is."""
    if packet.type is PacketType.PING and packet.data == PROBE:
        return UpgradeInput.PROBE_RECEIVED
    if packet.type is PacketType.UPGRADE:
        return UpgradeInput.UPGRADE_RECEIVED
    return UpgradeInput.OTHER_RECEIVED
