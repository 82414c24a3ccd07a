"""The users that one process plays, and what they saw. Pure: the time is an argument.

Owns what a user does with what comes: it counts acks and deliveries, acknowledges what it has
received as clients of chatd do, and comes back if it was told to. It must not know transports or
other processes; what all of them saw is put together elsewhere.
"""

from collections import Counter
from collections.abc import Callable
from enum import Enum, auto
from typing import Any, Final

import attrs
import orjson

from chatd.bench.client import Client
from chatd.bench.deliveries import MARK, Deliveries, mark
from chatd.bench.dialect import Dialect, Template
from chatd.bench.latencies import Latencies
from chatd.wire.names import ClientEvent

RECEIPT_EVERY_US: Final = 500_000
"""The time between two acknowledgements of one client, as on chatd's page."""

_ACK: Final = b'"ok":true'


class State(Enum):
    """Where a player is."""

    AWAY = auto()
    COMING = auto()
    READY = auto()


@attrs.define(eq=False)
class Tally:
    """What the players of this process saw in one step."""

    step: int
    begin_us: int = 0
    sent: int = 0
    acked: int = 0
    received: int = 0
    failed: int = 0
    twice: int = 0
    acks: Latencies = attrs.field(factory=Latencies)
    deliveries: Latencies = attrs.field(factory=Latencies)
    receivers: list[Deliveries] = attrs.field(factory=list)
    last_us: int = 0
    """When the last ack or delivery came."""


@attrs.frozen
class User:
    """Who a player is: its number among all users, its room, and what its CONNECT shows."""

    index: int
    room: str
    auth: dict[str, Any] | None = None


@attrs.define(eq=False)
class Crew:
    """All players of a process.

    ids: what the UUIDs of this process begin with, 24 characters. now_us: when the bytes were read
    that a player is being told about.
    """

    dialect: Dialect
    padding: bytes
    ids: bytes
    now_us: Callable[[], int]
    ready: int = 0
    failed: int = 0
    tally: Tally = attrs.field(factory=lambda: Tally(-1))
    opening: Latencies = attrs.field(factory=Latencies)
    returned_us: list[int] = attrs.field(factory=list)
    reasons: Counter[str] = attrs.field(factory=Counter)
    """Why players are missing, or what was refused to them, and how often."""
    owing: "list[Player]" = attrs.field(factory=list)
    """The players that have a message to acknowledge."""
    settled: "Callable[[Player], None]" = attrs.field(default=lambda _player: None)
    """Called with a player that has come, or could not."""
    ended: "Callable[[Player], None]" = attrs.field(default=lambda _player: None)
    """Called with a player that was ready, and no longer is."""
    delivery: bytes = attrs.field(init=False)
    _made: int = attrs.field(default=0, init=False)
    _templates: dict[str, Template] = attrs.field(factory=dict, init=False)

    def __attrs_post_init__(self) -> None:
        self.delivery = self.dialect.delivery.encode()

    def begin(self, step: int, at_us: int) -> None:
        """From now on what comes counts for this step; what comes late for the last step is
        lost."""
        self.tally = Tally(step, at_us)

    def template(self, room: str) -> Template:
        """How a message to this room is written."""
        found = self._templates.get(room)
        if found is None:
            found = self._templates[room] = Template(self.dialect.message, room, self.padding)
        return found

    def next_id(self) -> bytes:
        """A UUID that no other player uses."""
        self._made += 1
        return b"%b%012x" % (self.ids, self._made)

    def send_receipts(self, now_us: int) -> None:
        """Have the players acknowledge that have not done so for a while."""
        if self.owing:
            owing, self.owing = self.owing, []
            for player in owing:
                if not player.send_receipt(now_us):
                    self.owing.append(player)


class Player:
    """One user with one client. Slots, as 10,000 of them live in one process."""

    __slots__ = (
        "_began_us",
        "_deliveries",
        "_heard_step",
        "_newest",
        "_next_ack",
        "_number",
        "_pending",
        "_receipt_us",
        "_step",
        "_template",
        "client",
        "crew",
        "state",
        "user",
    )

    client: Client

    def __init__(self, user: User, crew: Crew) -> None:
        self.user = user
        self.state = State.AWAY
        self.crew = crew
        self._template = crew.template(user.room)
        self._pending: dict[int, int | None] = {}
        """By ack id, when the message was due that waits for the ack; None for a join or a
        receipt."""
        self._next_ack = 0
        self._step = -1
        self._number = 0
        self._heard_step = -1
        self._deliveries = Deliveries()
        self._newest: bytes | None = None
        self._receipt_us = 0
        self._began_us = 0

    def come(self, client: Client, now_us: int) -> None:
        """Connect, with this client."""
        self.client = client
        client.owner = self
        self.state = State.COMING
        self._began_us = now_us
        self._pending.clear()
        client.start()

    def go(self) -> None:
        """Hang up."""
        if self.state is State.READY:
            self.crew.ready -= 1
        if self.state is not State.AWAY:
            self.state = State.AWAY
            self.client.close()

    def say(self, due_us: int) -> None:
        """Send a message that was due then."""
        tally = self.crew.tally
        tally.sent += 1
        if self.state is not State.READY:
            tally.failed += 1
            return
        if self._step != tally.step:
            self._step, self._number = tally.step, 0
        said = mark(tally.step, self.user.index, self._number, due_us)
        self._number += 1
        self.emit(self._template.render(said, self.crew.next_id()), due_us)

    def emit(self, event: bytes, due_us: int | None) -> None:
        """Send an event and have it acked; `due_us` is None if its time does not count."""
        self._next_ack += 1
        self._pending[self._next_ack] = due_us
        self.client.send(b"42%d%b" % (self._next_ack, event))

    def live(self) -> None:
        """The client has come; so has the player, once its join is answered."""
        if self.crew.dialect.join is None:
            self._come_in()
        else:
            join = Template(self.crew.dialect.join, self.user.room, b"")
            self.emit(join.render(b"", b""), None)

    def _come_in(self) -> None:
        crew = self.crew
        self.state = State.READY
        crew.ready += 1
        crew.opening.add(crew.now_us() - self._began_us)
        crew.returned_us.append(crew.now_us())
        crew.settled(self)

    def event(self, packet: bytes) -> None:
        """A message for this user, or something else."""
        crew = self.crew
        if not packet.startswith(crew.delivery):
            return
        found = MARK.search(packet)
        if found is None:
            return
        step, sender, number, due_us = map(int, found.groups())
        tally = crew.tally
        if step == tally.step:
            if self._heard_step != step:
                self._heard_step, self._deliveries = step, Deliveries()
                tally.receivers.append(self._deliveries)
            if self._deliveries.came(sender, number):
                tally.received += 1
                tally.last_us = now_us = crew.now_us()
                tally.deliveries.add(now_us - due_us)
        if crew.dialect.sends_receipts and sender != self.user.index:
            if self._newest is None:
                crew.owing.append(self)
            self._newest = packet

    def ack(self, ack_id: int, packet: bytes) -> None:
        """The answer to a message, to the join, or to a receipt."""
        crew = self.crew
        try:
            due_us = self._pending.pop(ack_id)
        except KeyError:
            crew.tally.twice += 1
            return
        is_refused = crew.dialect.acks_say_ok and _ACK not in packet
        if self.state is State.COMING:
            if is_refused:
                self.client.close()
                self.ended("the join was refused")
            else:
                self._come_in()
        elif is_refused:
            crew.tally.failed += 1
            crew.reasons[_code(packet)] += 1
            self.refused()
        elif due_us is not None and due_us >= crew.tally.begin_us:
            tally = crew.tally
            tally.acked += 1
            tally.last_us = now_us = crew.now_us()
            tally.acks.add(now_us - due_us)

    def refused(self) -> None:
        """An event was not accepted; the tally knows."""

    def ended(self, why: str) -> None:
        """The client is gone, or never came."""
        crew = self.crew
        was_ready = self.state is State.READY
        self.state = State.AWAY
        self._newest = None
        crew.reasons[why] += 1
        if was_ready:
            crew.ready -= 1
            crew.ended(self)
        else:
            crew.failed += 1
            crew.settled(self)

    def send_receipt(self, now_us: int) -> bool:
        """Acknowledge the newest message, and so all earlier ones; False if it is too early."""
        if self._newest is None or self.state is not State.READY:
            return True
        if now_us - self._receipt_us < RECEIPT_EVERY_US:
            return False
        self._receipt_us = now_us
        newest, self._newest = orjson.loads(self._newest[2:])[1], None
        said = [ClientEvent.CHAT_ACK, {"messageId": newest["messageId"], "upTo": True}]
        self.emit(orjson.dumps(said), None)
        return True


def _code(packet: bytes) -> str:
    """The code of a refusal of chatd."""
    try:
        return str(orjson.loads(packet[packet.index(b"[") :])[0]["error"]["code"])
    except (ValueError, LookupError, TypeError):
        return "an ack that says nothing"
