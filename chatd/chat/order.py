"""In which order a node publishes what several nodes commit.

Each room numbers its messages (`seq`) and their changes (`rev`), both from 1 and without a hole.
What is committed reaches a node in any order: its own commits, what it hears of others, and what it
reads from the log. Hints get lost, come twice and overtake each other. `Order` lets through what
comes next, each number once, and a change only after its message. What is early waits; what is
missing for too long is a hole, and has to be read from the log.

    begin(5)                      published: 5
    message(7)  ->  nothing       7 waits, 6 is a hole
    message(6)  ->  6, 7
    message(6)  ->  nothing       it was published

Numbers are skipped in one case only: the log was read up to there and does not have them, since
retention has removed them (`healed`).

An `Item` is whatever the caller publishes. Rooms that were not begun hold nothing, and let nothing
through. Nothing here knows a bus, a log or a clock.
"""

import math
from collections.abc import Iterable
from typing import Final, Generic, TypeVar

import attrs

Item = TypeVar("Item")

EARLY_MAX: Final = 256
"""Items of a room that wait, for messages and for changes; beyond: the furthest ones are dropped,
and read again. A node that is so far behind reads pages anyway."""
EARLY_BYTES_MAX: Final = 16_777_216
"""Bytes of all items that wait, in all rooms; beyond: what is early is dropped, and read again."""
HOLE_DUE_S: Final = 0.02
"""How long a hole may fill by itself: two nodes that commit at once are heard in any order."""


@attrs.frozen
class Place:
    """How far a room is: the newest `seq`, and the newest `rev`; 0 if there is none."""

    seq: int = 0
    rev: int = 0


@attrs.frozen
class Numbered(Generic[Item]):
    """A message, or a change, with its number in the room and its size in bytes. A change has the
    `seq` of its message, which comes before it; a message has None."""

    number: int
    item: Item
    size: int
    of_seq: int | None = None


@attrs.define(eq=False)
class _Track(Generic[Item]):
    """One numbering of a room. `known`: numbers up to this exist; `gone_to`: those up to this that
    do not wait here do not exist any more."""

    published: int
    known: int
    gone_to: int = 0
    early: dict[int, Numbered[Item]] = attrs.field(factory=dict)

    def next(self) -> Numbered[Item] | None:
        """What comes next, if it is there."""
        found = self.early.get(self.published + 1)
        if found is None and self.published < self.gone_to:
            later = min((one for one in self.early if one <= self.gone_to), default=None)
            if later is None:
                self.published = self.gone_to
                self.known = max(self.known, self.published)
                return self.early.get(self.published + 1)
            found = self.early[later]
        return found


@attrs.define(eq=False)
class _Room(Generic[Item]):
    name: str
    messages: _Track[Item] = attrs.field(init=False)
    changes: _Track[Item] = attrs.field(init=False)
    has_begun: bool = attrs.field(init=False, default=False)

    def __attrs_post_init__(self) -> None:
        self.messages = _Track(0, 0)
        self.changes = _Track(0, 0)

    @property
    def tracks(self) -> tuple[_Track[Item], _Track[Item]]:
        return self.messages, self.changes

    @property
    def has_hole(self) -> bool:
        return self.has_begun and any(track.known > track.published for track in self.tracks)

    @property
    def place(self) -> Place:
        return Place(self.messages.published, self.changes.published)


@attrs.define(eq=False)
class Order(Generic[Item]):
    """The order of all rooms that a node holds. Times are seconds of one steady clock."""

    _rooms: dict[str, _Room[Item]] = attrs.field(init=False, factory=dict)
    _due_s: dict[str, float] = attrs.field(init=False, factory=dict)
    _early_bytes: int = attrs.field(init=False, default=0)

    def expect(self, room: str) -> None:
        """A room is about to begin: what is heard of it meanwhile waits for that."""
        if room not in self._rooms:
            self._rooms[room] = _Room(room)

    def begin(self, room: str, place: Place, now_s: float) -> list[Item]:
        """The room is published up to `place`: whoever enters it reads that much from the log. What
        was heard beyond comes now. If the room has begun already, nothing is skipped: what is
        missing up to `place` is a hole."""
        self.expect(room)
        held = self._rooms[room]
        if held.has_begun:
            self.know(room, place, now_s)
            return []
        held.has_begun = True
        for track, number in zip(held.tracks, (place.seq, place.rev), strict=True):
            track.published = number
            track.known = max(track.known, number)
            for passed in [one for one in track.early if one <= number]:
                self._drop(track, passed)
        return self._drained(held, now_s)

    def message(self, room: str, one: Numbered[Item], now_s: float) -> list[Item]:
        """A message is committed; returns what may be published now, in order."""
        held = self._rooms.get(room)
        return [] if held is None else self._offered(held, held.messages, one, now_s)

    def change(self, room: str, one: Numbered[Item], now_s: float) -> list[Item]:
        """The same for a change."""
        held = self._rooms.get(room)
        if held is None:
            return []
        assert one.of_seq is not None
        held.messages.known = max(held.messages.known, one.of_seq)
        return self._offered(held, held.changes, one, now_s)

    def know(self, room: str, place: Place, now_s: float) -> None:
        """The room is at `place` at least, and what is missing up to there will not be heard: it is
        due now."""
        held = self._rooms.get(room)
        if held is None:
            return
        held.messages.known = max(held.messages.known, place.seq)
        held.changes.known = max(held.changes.known, place.rev)
        if held.has_hole:
            self._make_due(held, now_s)

    def due(self, now_s: float) -> list[str]:
        """The rooms with a hole that is old enough to be read from the log."""
        return [room for room, due_s in self._due_s.items() if due_s <= now_s]

    @property
    def next_due_s(self) -> float:
        """When the next hole is due; infinite if there is no hole."""
        return min(self._due_s.values(), default=math.inf)

    @property
    def holes(self) -> int:
        """The rooms with a hole."""
        return len(self._due_s)

    @property
    def behind_seq(self) -> int:
        """How many messages of a room are known but not published; the most of any room."""
        tracks = (held.messages for held in self._rooms.values() if held.has_begun)
        return max((track.known - track.published for track in tracks), default=0)

    def known(self, room: str) -> Place:
        """How far a begun room is known to be. A read that begins now reaches so far."""
        held = self._rooms[room]
        return Place(held.messages.known, held.changes.known)

    def healed(
        self,
        room: str,
        messages: Iterable[Numbered[Item]],
        changes: Iterable[Numbered[Item]],
        up_to: Place,
        now_s: float,
    ) -> list[Item]:
        """What was read from the log, which has nothing else up to `up_to`."""
        held = self._rooms.get(room)
        if held is None or not held.has_begun:
            return []
        for track, found in zip(held.tracks, (messages, changes), strict=True):
            for one in found:
                if one.number > track.published:
                    self._drop(track, one.number)
                    self._keep(track, one)
                if one.of_seq is not None:
                    held.messages.known = max(held.messages.known, one.of_seq)
        held.messages.gone_to = max(held.messages.gone_to, up_to.seq)
        held.changes.gone_to = max(held.changes.gone_to, up_to.rev)
        return self._drained(held, now_s)

    def looked(self, room: str, known: Place, now_s: float) -> list[Item]:
        """The log was read to its end, and `known` is what was known before: what the log lacks of
        that, nobody has committed. What was heard of it is forgotten."""
        held = self._rooms.get(room)
        if held is None or not held.has_begun:
            return []
        for track, number in zip(held.tracks, (known.seq, known.rev), strict=True):
            for false in [one for one in track.early if one <= number]:
                self._drop(track, false)
            track.known = max(track.published, track.known if track.known > number else 0)
        return self._drained(held, now_s, is_new_wait=True)

    def take_back(self, room: str, place: Place, now_s: float) -> None:
        """What was let through after `place` could not be published: it is missing again."""
        held = self._rooms.get(room)
        if held is not None and held.has_begun:
            for track, number in zip(held.tracks, (place.seq, place.rev), strict=True):
                track.published = min(track.published, number)
            if held.has_hole:
                self._make_due(held, now_s)

    def place(self, room: str) -> Place | None:
        """How far a room is published; None if it was not begun."""
        held = self._rooms.get(room)
        return held.place if held is not None and held.has_begun else None

    def rooms(self) -> list[str]:
        """The rooms that were begun."""
        return [room for room, held in self._rooms.items() if held.has_begun]

    def end(self, room: str) -> None:
        """Nobody is in the room any more."""
        held = self._rooms.pop(room, None)
        if held is not None:
            self._due_s.pop(room, None)
            for track in held.tracks:
                self._early_bytes -= sum(one.size for one in track.early.values())

    def _offered(
        self, held: _Room[Item], track: _Track[Item], one: Numbered[Item], now_s: float
    ) -> list[Item]:
        if one.number <= track.published or one.number in track.early:
            return []
        if (
            held.has_begun
            and one.number == track.published + 1
            and one.number >= track.known
            and not held.messages.early
            and not held.changes.early
            and (one.of_seq or 0) <= held.messages.published
            and held.name not in self._due_s
        ):  # nothing waits, and nothing is missing: the usual case
            track.published = track.known = one.number
            return [one.item]
        track.known = max(track.known, one.number)
        is_next = (
            held.has_begun
            and one.number == track.published + 1
            and (one.of_seq or 0) <= held.messages.published
        )
        is_full = len(track.early) >= EARLY_MAX
        if is_full and not is_next and (furthest := max(track.early)) > one.number:
            self._drop(track, furthest)
            is_full = False
        if is_next or (not is_full and self._early_bytes + one.size <= EARLY_BYTES_MAX):
            self._keep(track, one)
        out = self._drained(held, now_s)
        if held.has_begun and one.number > track.published and one.number not in track.early:
            self._make_due(held, now_s)
        return out

    def _drained(self, held: _Room[Item], now_s: float, *, is_new_wait: bool = False) -> list[Item]:
        """What may be published; the wait for what is missing then begins anew."""
        if not held.has_begun:
            return []
        out: list[Item] = []
        before = held.place
        while (one := self._next(held)) is not None:
            out.append(one.item)
        if not held.has_hole:
            self._due_s.pop(held.name, None)
        elif is_new_wait or held.place != before or held.name not in self._due_s:
            self._due_s[held.name] = now_s + HOLE_DUE_S
        return out

    def _make_due(self, held: _Room[Item], now_s: float) -> None:
        """What is missing is not going to come by itself."""
        self._due_s[held.name] = min(self._due_s.get(held.name, now_s), now_s)

    def _next(self, held: _Room[Item]) -> Numbered[Item] | None:
        one = held.messages.next()
        track = held.messages
        if one is None:
            track, one = held.changes, held.changes.next()
            if one is None or (one.of_seq or 0) > held.messages.published:
                return None
        self._drop(track, one.number)
        track.published = one.number
        track.known = max(track.known, one.number)
        return one

    def _keep(self, track: _Track[Item], one: Numbered[Item]) -> None:
        track.early[one.number] = one
        self._early_bytes += one.size

    def _drop(self, track: _Track[Item], number: int) -> None:
        one = track.early.pop(number, None)
        if one is not None:
            self._early_bytes -= one.size
