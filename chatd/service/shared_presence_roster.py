"""Presence as one view on several nodes (docs/cluster, "Presence, typing and limits").

Each node tells the others which users have a socket of its own in a room, with what was decided of
them (`Slices` of `Claim`s). The users of the others come into the machine as sockets
(`Elsewhere`), and the machine does what it always does: it waits for the grace, and tells the
sockets of this node. All nodes get the same claims, and of two claims the same one counts on all.

A node may know a later claim than the node that has the user, when the user came back to a node
that knew nothing yet. Then it says so, until that node has the claim.
"""

from collections.abc import Iterable, Sequence
from typing import Any, Final

import attrs

from chatd.chat.elsewhere import Elsewhere
from chatd.chat.presence import NEVER, Arrive, Claim, Command, Depart, Presence, Restate, Stamp
from chatd.chat.shared_clock import SharedClock
from chatd.service.client import Client
from chatd.service.nodes_alive import NodesAlive
from chatd.service.presence_roster import PresenceRoster
from chatd.service.signals import Signals
from chatd.service.slices import Slices
from chatd.wire.names import PresenceStatus

CORRECTIONS_MAX: Final = 100
"""Claims that are told again with one beat."""
_KIND: Final = "presence"
_CLAIM: Final = "presence.claim"


@attrs.frozen
class _Form:
    """Claims as they travel."""

    def write(self, value: Claim) -> list[object]:
        return [
            value.name,
            *value.named_at,
            str(value.status),
            *value.declared_at,
            value.seen_ms,
        ]

    def read(self, written: Any) -> Claim:
        name, named_ms, named_by, status, declared_ms, declared_by, seen_ms, *_ = written
        if not isinstance(name, str | None):
            raise TypeError("no name")
        return Claim(
            name,
            (int(named_ms), str(named_by)),
            PresenceStatus(status),
            (int(declared_ms), str(declared_by)),
            int(seen_ms),
        )


@attrs.define(eq=False, slots=False)
class SharedPresenceRoster(PresenceRoster):
    """A `PresenceRoster` of one of several nodes."""

    _signals: Signals
    _nodes: NodesAlive
    _shared: SharedClock
    _slices: Slices[Claim] = attrs.field(init=False)
    # By room and user: what is known of it, and the sockets of this node.
    _claims: dict[tuple[str, str], Claim] = attrs.field(init=False, factory=dict)
    _here: dict[tuple[str, str], set[object]] = attrs.field(init=False, factory=dict)
    _contested: dict[tuple[str, str], None] = attrs.field(init=False, factory=dict)

    def __attrs_post_init__(self) -> None:
        super().__attrs_post_init__()
        self._slices = Slices(
            _KIND, self._signals, self._nodes, self._shared, self._clock, _Form(), self._learned
        )
        self._signals.on(_CLAIM, self._corrected)
        self._nodes.watch(self)
        self.machine.forgotten = self._forgotten

    def depart(self, client: Client, connection_id: str) -> None:
        super().depart(client, connection_id)
        place = connection_id, client.user_id
        sockets = self._here.get(place)
        if sockets is None:
            return
        sockets.discard(client.socket)
        if not sockets:
            del self._here[place]
            seen = attrs.evolve(self._claims[place], seen_ms=self._clock.wall_ms())
            self._claims[place] = seen
            self._contested[place] = None  # the last claim may get lost with its slice
            self._slices.drop(*place, seen)
            self._slices.tell()

    def status_of(self, client: Client, connection_id: str) -> PresenceStatus:
        claim = self._claims.get((connection_id, client.user_id))
        return super().status_of(client, connection_id) if claim is None else claim.status

    def note_declared(
        self, client: Client, connection_id: str, status: PresenceStatus
    ) -> Claim | None:
        super().note_declared(client, connection_id, status)
        place = connection_id, client.user_id
        if place not in self._here:  # it declares as it arrives
            return None
        claim = self._claims[place] = self._declared(self._claims[place], status)
        self._tell(place)
        return claim

    def beat(self) -> None:
        """Say again what others do not have yet."""
        said = 0
        for place in list(self._contested):
            claim = self._claims.get(place)
            others = [value for _, value in self._slices.holders(*place)]
            if claim is None or all(value.decided == claim.decided for value in others):
                del self._contested[place]
            elif said < CORRECTIONS_MAX:
                self._correct(place, claim)
                said += 1

    def gone(self, node: str) -> None:
        """What it told goes with it, as its slices do."""

    def revive(self, now_s: float) -> Presence:
        machine = super().revive(now_s)
        machine.forgotten = self._forgotten
        return machine

    def _arrival(self, client: Client, connection_id: str) -> Arrive:
        arrival = super()._arrival(client, connection_id)
        place = connection_id, client.user_id
        sockets = self._here.setdefault(place, set())
        if client.socket not in sockets:
            sockets.add(client.socket)
            self._claims[place] = self._claimed(place, arrival)
            self._tell(place)
        return attrs.evolve(arrival, claim=self._claims[place])

    def _arrivals_elsewhere(self) -> Iterable[Command]:
        for node, room, user_id, value in self._slices.copies():
            claim = self._claims.get((room, user_id), value)
            yield Arrive(Elsewhere(node, user_id), room, user_id, claim.name, claim=claim)

    def _claimed(self, place: tuple[str, str], arrival: Arrive) -> Claim:
        """What is decided of a user with the arrival of a socket."""
        claim, seen_ms = self._claims.get(place), self._clock.wall_ms()
        if claim is None:
            status = self.machine.status(*place) or arrival.initial
            claim = Claim(arrival.name, self._stamp(), status, NEVER, seen_ms)
        elif arrival.name != claim.name:
            claim = attrs.evolve(claim, name=arrival.name, named_at=self._stamp())
        if arrival.declared is not None:
            claim = self._declared(claim, arrival.declared)
        return attrs.evolve(claim, seen_ms=seen_ms)

    def _declared(self, claim: Claim, status: PresenceStatus) -> Claim:
        seen_ms = self._clock.wall_ms()
        return attrs.evolve(claim, status=status, declared_at=self._stamp(), seen_ms=seen_ms)

    def _stamp(self) -> Stamp:
        return self._shared.stamp(self._clock.wall_ms()), self._signals.node

    def _tell(self, place: tuple[str, str]) -> None:
        """Put what is known of a user who is here into the slice of this node, unless it differs in
        nothing but the last sign."""
        claim, room, user_id = self._claims[place], *place
        told = self._slices.own(room).get(user_id)
        if told is None or told.decided != claim.decided:
            self._slices.put(room, user_id, claim)
            self._slices.tell()

    def _learned(self, node: str, name: str, key: str, value: Claim, *, is_there: bool) -> None:
        """The slice of another node has changed."""
        place, socket = (name, key), Elsewhere(node, key)
        if not is_there:
            self._contested[place] = None
            self._mailbox.put(Depart(socket, name, value.seen_ms))
            return
        claim = self._merge(place, value)
        self._mailbox.put(Arrive(socket, name, key, claim.name, claim=claim))
        if claim.decided != value.decided and place not in self._here:
            self._contested[place] = None
            self._correct(place, claim)

    def _merge(self, place: tuple[str, str], value: Claim) -> Claim:
        """Keep the later one of a claim and what is known; a status that was declared elsewhere
        replaces what a client of this node has declared."""
        before = self._claims.get(place)
        claim = self._claims[place] = value if before is None else before.merged(value)
        if before is None or before.declared_at != claim.declared_at:
            room, user_id = place
            for client in self._clients.of(user_id):
                if client.declared is not None:
                    client.declared.pop(room, None)
        if place in self._here:
            self._tell(place)
        return claim

    def _correct(self, place: tuple[str, str], claim: Claim) -> None:
        room, user_id = place
        self._signals.send(room, _CLAIM, [user_id, _Form().write(claim)])

    def _corrected(self, room: str, node: str, fields: Sequence[Any]) -> None:
        user_id, written, *_ = fields
        place, value = (room, user_id), _Form().read(written)
        self._shared.witness(value.declared_at[0], self._clock.wall_ms())
        self._shared.witness(value.named_at[0], self._clock.wall_ms())
        if place in self._claims and self._nodes.heard(node):
            claim = self._merge(place, value)
            self._mailbox.put(Restate(room, user_id, claim))

    def _forgotten(self, room: str, user_id: str) -> None:
        """The grace of a user is over: what was declared is forgotten, unless the user is there
        again."""
        place = room, user_id
        if place not in self._here and not any(self._slices.holders(room, user_id)):
            self._claims.pop(place, None)
