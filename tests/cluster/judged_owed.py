"""What a member is owed: all that was stored while it had no socket anywhere, and no more than what
the cluster can not have known to be received.

A node that dies or stops is found out only after a while, the detection window. A goodbye that the
node has answered needs none.
"""

from collections.abc import Iterator
from typing import Final

import attrs

from tests.cluster.histories import (
    Acked,
    Case,
    CaughtUp,
    Joined,
    Left,
    Live,
    Page,
    Received,
    Row,
    Tried,
)

KNOWN_S: Final = 10.0
"""`owed` of `connection:status` counts what the node knows of: what others stored is known after
the next look at the log, once a second, which a fault of some seconds keeps back, or the one before
it. What is owed comes all the same."""


@attrs.frozen
class Times:
    """When each message was sent first, and acknowledged first."""

    tried: dict[str, float]
    acked: dict[str, float]

    @classmethod
    def of(cls, case: Case) -> "Times":
        tried: dict[str, float] = {}
        acked: dict[str, float] = {}
        for notes in case.notes.values():
            for note in notes:
                if isinstance(note, Tried):
                    tried.setdefault(note.message_id, note.at_s)
                elif isinstance(note, Acked):
                    acked.setdefault(note.message_id, note.at_s)
        return cls(tried, acked)


@attrs.define
class Standing:
    """A member's standing in a room."""

    seen: int = 0  # the highest seq that came
    received: int = 0  # up to where it was acknowledged as received
    floor: int = 0  # nothing up to there may be owed
    is_settled: bool = True  # nothing is owed from before


@attrs.define
class Member:
    user: str
    case: Case
    times: Times
    first_left: Left | None = None  # since the last join, of a session of this log
    last_left: Left | None = None  # another one, where a node let it in and did not say so in time
    is_known: bool = False
    counts: list[str] = attrs.field(factory=list)
    """What is wrong with the counts of a visit: told where its joins succeed. A node that is cut
    off from the log says what it knows, and lets nobody in."""
    is_of_log: bool = True
    standings: dict[str, Standing] = attrs.field(factory=dict)
    shown: dict[str, set[int]] = attrs.field(factory=dict)  # since the last join
    must: dict[str, set[int]] = attrs.field(factory=dict)
    node: str = "?"
    joined_s: float = 0.0

    def judge(self) -> Iterator[str]:
        for note in self.case.notes[self.user]:
            match note:
                case Joined(epoch=epoch) if epoch != self.case.epoch:
                    self.is_known, self.is_of_log = True, False
                    self.first_left = self.last_left = None
                    self.standings.clear()
                case Joined():
                    if not self.is_of_log:
                        self.standings.clear()  # what came of another log does not count
                    self.is_of_log = True
                    self.counts = list(self._join(note))
                case Page(room=room, rows=rows):
                    for row in rows:
                        self._see(room, row)
                case Live(room=room, row=row, is_replay=is_replay):
                    standing = self._of(room)
                    if is_replay and row.user_id == self.user:
                        yield f"{self._where(room)}: {row.seq} is owed, and is its own"
                    elif is_replay and row.seq <= standing.floor:
                        yield (
                            f"{self._where(room)}: {row.seq} is owed, and was "
                            f"received; nothing up to {standing.floor} may be"
                        )
                    self._see(room, row)
                case Received(room=room, up_to=up_to):
                    standing = self._of(room)
                    standing.received = max(standing.received, up_to)
                    standing.is_settled |= up_to >= max(self.shown.get(room, {0}), default=0)
                case CaughtUp():
                    yield from self._caught_up()
                case Left():
                    if self.is_of_log:
                        self.first_left, self.last_left = self.first_left or note, note

    def _where(self, room: str) -> str:
        return f"{self.user} at {self.node}, {room}, in since {self.joined_s:.1f} s"

    def _of(self, room: str) -> Standing:
        return self.standings.setdefault(room, Standing())

    def _see(self, room: str, row: Row) -> None:
        standing = self._of(room)
        standing.seen = max(standing.seen, row.seq)
        self.shown.setdefault(room, set()).add(row.seq)

    def _join(self, note: Joined) -> Iterator[str]:
        self.node, self.joined_s = note.node, note.at_s
        self.shown, self.must = {}, {}
        first_left, last_left = self.first_left, self.last_left
        self.first_left = self.last_left = None
        for room, owed in note.owed.items():
            standing = self._of(room)
            others = [row for row in self.case.log.get(room, ()) if row.user_id != self.user]
            if first_left is None or last_left is None:
                standing.is_settled = owed == 0  # a log that took over may owe something
                if self.is_known or owed == 0:
                    continue
                yield f"{self._where(room)}: {owed} owed to who is new"
                continue
            standing.floor = self._floor(standing, first_left, others)
            if not self.is_known:  # nobody knows whether a node has let it in
                last_left = attrs.evolve(last_left, at_s=note.at_s)
            must = {row.seq for row in others if self._is_due(row, last_left, note.asked_s)}
            counted = [
                row for row in others if self._is_due(row, last_left, note.asked_s - KNOWN_S)
            ]
            most = sum(
                row.seq > standing.floor
                and self.times.tried.get(row.message_id, note.at_s) <= note.at_s
                for row in others
            )
            if not len(counted) <= owed <= most:
                yield (
                    f"{self._where(room)}: {owed} owed, at least {len(counted)} and "
                    f"at most {most} have to be; away from {first_left.at_s:.1f} s "
                    f"({'clean' if first_left.is_clean else 'lost'}), had up to {standing.seen}"
                )
            standing.is_settled = owed == 0
            # What a `since` skips is not shown again; who names none gets all that is owed.
            if room not in note.since:
                self.must[room] = must
        self.is_known = True

    def _is_due(self, row: Row, left: Left, until_s: float) -> bool:
        """Whether it was stored while the member was away for all to know, up to a time."""
        window_s = 0.0 if left.is_clean else self.case.detection_s
        tried_s = self.times.tried.get(row.message_id)
        acked_s = self.times.acked.get(row.message_id)
        if tried_s is None or acked_s is None:
            return False
        return tried_s > left.at_s + window_s and acked_s < until_s

    def _floor(self, standing: Standing, left: Left, others: list[Row]) -> int:
        known = standing.seen if standing.is_settled else standing.received
        if left.is_clean:
            return known
        before_s = left.at_s - self.case.detection_s
        late = [
            row.seq for row in others if self.times.acked.get(row.message_id, before_s) >= before_s
        ]
        return min(known, min(late, default=known + 1) - 1)

    def _caught_up(self) -> Iterator[str]:
        yield from self.counts
        self.counts = []
        for room, must in self.must.items():
            missing = sorted(must - self.shown.get(room, set()))
            if missing:
                yield f"{self._where(room)}: {missing} were owed and did not come"
        self.must = {}


def owed(case: Case) -> Iterator[str]:
    times = Times.of(case)
    for user in case.notes:
        yield from Member(user, case, times).judge()
