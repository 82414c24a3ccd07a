"""Which users are seen in a room, and how that changes (docs/protocol, "Presence").

A user has a status in a room, online at first. Any of the user's sockets there can declare another
one, for all of them; it stays until the next one is declared, or the user is gone. Declared offline
means unseen: for others it is as if the user were gone. What happens:

    a socket arrives            the user is seen: a change, unless it was seen like that already;
                                the socket may declare a status as it arrives
    a socket declares           a change where the status is another now
    a socket departs            nothing, as long as there is another
    the last one departs        nothing for GRACE_S (a reload shows nothing), then offline, and
                                what was declared is forgotten

Where several nodes serve a room, each has a machine of its own, and other nodes' users come in as
sockets too (`chatd.chat.elsewhere`). What is decided of a user travels as a `Claim`, and of two
claims the later one counts, in whatever order they come: so all machines show the same.

Memory is bounded by sockets and by those whose grace runs. All graces are equally long, so that the
order in which they began is the order in which they are due. Time is given: `now_s` never goes
back, and graces go by it; `wall_ms` may go back, and is what people are shown.
"""

import math
from collections.abc import Callable, Hashable, Iterator, Sequence
from typing import Any, Final, TypeAlias, assert_never

import attrs

from chatd.wire.names import PresenceStatus

GRACE_S = 10.0  # between the last socket's end and offline


Stamp: TypeAlias = tuple[int, str]
"""When something was decided, on the clock that nodes share, and by which node."""
NEVER: Final[Stamp] = (0, "")


@attrs.frozen
class Claim:
    """What nodes have decided of a user in a room, and when; and the last sign of the user."""

    name: str | None
    named_at: Stamp
    status: PresenceStatus
    declared_at: Stamp
    seen_ms: int

    @property
    def decided(self) -> tuple[object, ...]:
        """All but the last sign."""
        return self.name, self.named_at, self.status, self.declared_at

    def merged(self, other: "Claim") -> "Claim":
        """The later of the two decisions; the same whichever is known first."""
        mine, its = (self.declared_at, str(self.status)), (other.declared_at, str(other.status))
        by_status = self if mine >= its else other
        named, its_name = (self.named_at, self.name or ""), (other.named_at, other.name or "")
        by_name = self if named >= its_name else other
        return Claim(
            by_name.name,
            by_name.named_at,
            by_status.status,
            by_status.declared_at,
            max(self.seen_ms, other.seen_ms),
        )


@attrs.define
class Arrive:
    """A socket is in a room. `declared` is what it declares as it arrives, None for nothing: then
    the user's status stays, and a user who was not there gets `initial`. If there is a `claim`,
    only that counts."""

    socket: Hashable
    connection_id: str
    user_id: str
    name: str | None
    declared: PresenceStatus | None = None
    initial: PresenceStatus = PresenceStatus.ONLINE
    claim: Claim | None = None


@attrs.define
class Depart:
    """A socket is no longer in a room. `seen_ms` is the user's last sign, None for now."""

    socket: Hashable
    connection_id: str
    seen_ms: int | None = None


@attrs.define
class Declare:
    """A socket that has arrived in a room declares a status; from any other socket this changes
    nothing."""

    origin: Any
    socket: Hashable
    connection_id: str
    status: PresenceStatus
    claim: Claim | None = None


@attrs.define
class Restate:
    """Another node knows something later of a user; for a user who is not there nothing changes."""

    connection_id: str
    user_id: str
    claim: Claim


@attrs.define
class Forget:
    """Users without sockets are gone at once: one of them everywhere, or all from a room."""

    origin: Any
    user_id: str | None = None
    connection_id: str | None = None


Command: TypeAlias = Arrive | Depart | Declare | Restate | Forget


@attrs.frozen
class PresenceEntry:
    """What is shown of a user in a room. `last_seen_ms` is the time of the last sign."""

    user_id: str
    name: str | None
    status: PresenceStatus
    last_seen_ms: int


@attrs.define
class PresenceChanged:
    """All sockets in the room are notified, except the one that was the cause, if there was one."""

    connection_id: str
    entry: PresenceEntry
    cause: Hashable | None


@attrs.define
class Declared:
    """The answer to a `Declare`: the status that counts for the user now."""

    command: Declare
    status: PresenceStatus


@attrs.define
class Forgotten:
    """These users are forgotten, unless they have come back."""

    command: Forget


Effect: TypeAlias = PresenceChanged | Declared | Forgotten


@attrs.define(eq=False)
class _User:
    """A user in one room, with the status that was declared there last."""

    user_id: str
    name: str | None
    status: PresenceStatus
    last_seen_ms: int
    sockets: set[Hashable] = attrs.field(factory=set)
    claim: Claim | None = None

    def take(self, claim: Claim) -> None:
        """Keep the later one of this claim and what was known."""
        claim = self.claim = claim if self.claim is None else self.claim.merged(claim)
        self.name, self.status = claim.name, claim.status
        self.last_seen_ms = max(self.last_seen_ms, claim.seen_ms)

    @property
    def shown(self) -> tuple[PresenceStatus, str | None]:
        """The state whose changes are told; the name of an unseen user does not matter."""
        return self.status, None if self.status is PresenceStatus.OFFLINE else self.name

    def entry(self) -> PresenceEntry:
        return PresenceEntry(self.user_id, self.name, self.status, self.last_seen_ms)


class Presence:
    """All rooms' users. Owned by one actor. `forgotten` is told the room and the user whenever a
    user in a room has been forgotten."""

    def __init__(self) -> None:
        self.forgotten: Callable[[str, str], None] | None = None
        self._rooms: dict[str, dict[str, _User]] = {}
        self._users_of: dict[tuple[Hashable, str], _User] = {}  # by socket and room
        self._graces: dict[tuple[str, str], float] = {}  # (room, user) -> due; in the order of due

    def decide(self, batch: Sequence[Command], now_s: float, wall_ms: int) -> list[Effect]:
        """Carry the commands out; returns their effects."""
        effects: list[Effect] = []
        for command in batch:
            match command:
                case Arrive():
                    self._arrive(command, wall_ms, effects)
                case Depart(socket, connection_id, seen_ms):
                    self._depart(socket, connection_id, now_s, seen_ms or wall_ms)
                case Declare():
                    self._declare(command, wall_ms, effects)
                case Restate():
                    self._restate(command, effects)
                case Forget(_, user_id, room):
                    meant = [one for one in self._graces if room == one[0] or user_id == one[1]]
                    self._let_go(meant, effects)
                    effects.append(Forgotten(command))
                case _:
                    assert_never(command)
        return effects

    def tick(self, now_s: float, wall_ms: int) -> list[Effect]:
        """End the graces that are over; `wall_ms` is not needed, as the last sign was earlier."""
        del wall_ms
        effects: list[Effect] = []
        while self._graces and next(iter(self._graces.values())) <= now_s:
            self._let_go([next(iter(self._graces))], effects)
        return effects

    def _let_go(self, places: Sequence[tuple[str, str]], effects: list[Effect]) -> None:
        """The graces of these users in these rooms are over."""
        for room, user_id in places:
            del self._graces[room, user_id]
            user = self._rooms[room][user_id]
            if user.status is not PresenceStatus.OFFLINE:
                user.status = PresenceStatus.OFFLINE
                effects.append(PresenceChanged(room, user.entry(), None))
            self._forget(room, user_id)

    def next_deadline_s(self) -> float:
        """When the next grace ends, `math.inf` if none runs."""
        return next(iter(self._graces.values()), math.inf)

    def sign(self, connection_id: str, user_id: str, wall_ms: int) -> None:
        """A user gave a sign in a room, which changes nothing else: a message, typing. May be
        called between two batches. For a user who is not there nothing is kept."""
        user = self._rooms.get(connection_id, {}).get(user_id)
        if user is not None:
            user.last_seen_ms = wall_ms

    def last_seen_ms(self, connection_id: str, user_id: str) -> int | None:
        """The time of the user's last sign in a room; None if the user is not there."""
        user = self._rooms.get(connection_id, {}).get(user_id)
        return None if user is None else user.last_seen_ms

    def status(self, connection_id: str, user_id: str) -> PresenceStatus | None:
        """The user's status in a room, unseen or not; None if the user is not there."""
        user = self._rooms.get(connection_id, {}).get(user_id)
        return None if user is None else user.status

    def room(self, connection_id: str) -> list[PresenceEntry]:
        """Who is seen in a room."""
        users = self._rooms.get(connection_id, {}).values()
        return [user.entry() for user in users if user.status is not PresenceStatus.OFFLINE]

    def rooms(self) -> Iterator[str]:
        """The rooms in which somebody may be seen."""
        return iter(list(self._rooms))

    def freeze(self) -> dict[str, list[list[Any]]]:
        """Who is where, unseen users too, as plain JSON, which later changes here do not affect."""
        return {
            room: [
                [user.user_id, user.name, str(user.status), user.last_seen_ms]
                for user in users.values()
            ]
            for room, users in self._rooms.items()
        }

    @classmethod
    def restore(cls, frozen: object, now_s: float) -> "Presence":
        """Take the users of `freeze`, without a socket: they have `GRACE_S` from now to arrive.

        None stands for nobody. Raises ValueError for what `freeze` did not make.
        """
        presence = cls()
        if frozen is None:
            return presence
        try:
            for room, entries in dict(frozen).items():  # type: ignore[call-overload]  # checked
                for user_id, name, status, last_seen_ms in entries:
                    user = _User(str(user_id), name, PresenceStatus(status), int(last_seen_ms))
                    presence._rooms.setdefault(str(room), {})[user.user_id] = user
                    presence._graces[str(room), user.user_id] = now_s + GRACE_S
        except (TypeError, ValueError) as error:
            raise ValueError("this is no presence that was frozen") from error
        return presence

    def _arrive(self, command: Arrive, wall_ms: int, effects: list[Effect]) -> None:
        room, user_id = command.connection_id, command.user_id
        users = self._rooms.setdefault(room, {})
        user = users.get(user_id)
        before: tuple[PresenceStatus, str | None] = PresenceStatus.OFFLINE, None
        if user is None:
            seen_ms = wall_ms if command.claim is None else command.claim.seen_ms
            user = users[user_id] = _User(user_id, command.name, command.initial, seen_ms)
        else:
            before = user.shown
        if command.claim is not None:
            user.take(command.claim)
        else:
            if command.declared is not None:
                user.status = command.declared
            user.name = command.name
            user.last_seen_ms = wall_ms
        user.sockets.add(command.socket)
        self._users_of[command.socket, room] = user
        self._graces.pop((room, user_id), None)
        if user.shown != before:
            effects.append(PresenceChanged(room, user.entry(), command.socket))

    def _depart(self, socket: Hashable, room: str, now_s: float, seen_ms: int) -> None:
        user = self._users_of.pop((socket, room), None)
        if user is None:
            return
        user.last_seen_ms = seen_ms if user.claim is None else max(user.last_seen_ms, seen_ms)
        user.sockets.discard(socket)
        if not user.sockets:
            self._graces[room, user.user_id] = now_s + GRACE_S

    def _declare(self, command: Declare, wall_ms: int, effects: list[Effect]) -> None:
        room = command.connection_id
        user = self._users_of.get((command.socket, room))
        if user is None:
            effects.append(Declared(command, PresenceStatus.OFFLINE))
            return
        before = user.shown
        user.last_seen_ms = wall_ms
        if command.claim is not None:
            user.take(command.claim)
        else:
            user.status = command.status
        if user.shown != before:
            effects.append(PresenceChanged(room, user.entry(), command.socket))
        effects.append(Declared(command, user.status))

    def _restate(self, command: Restate, effects: list[Effect]) -> None:
        user = self._rooms.get(command.connection_id, {}).get(command.user_id)
        if user is None:
            return
        before = user.shown
        user.take(command.claim)
        if user.shown != before:
            effects.append(PresenceChanged(command.connection_id, user.entry(), None))

    def _forget(self, room: str, user_id: str) -> None:
        users = self._rooms[room]
        del users[user_id]
        if not users:
            del self._rooms[room]
        if self.forgotten is not None:
            self.forgotten(room, user_id)
