"""What a member of a room is owed: messages that came while none of its sockets was there.

A queue is a value, a cursor and gaps, whatever the number of messages in it:

- `away_seq` is the last seq that the member's sockets saw, None while one of them is in the room.
  While it is away everything above it is owed, however much comes.
- `gaps` are closed ranges of seqs that are owed from earlier absences, ascending, apart.
- `fallen` is the range of what fell out of the queue before any socket was notified of it.

What is acknowledged leaves the queue: a gap shrinks, or is split. The member's own messages are
taken out in the same way, if it was gone before they were stored. The bounds of what queues hold,
and for how long, are for all rooms of a user together (`QUEUE_MAX`, `QUEUE_MAX_MS`); what is beyond
that is trimmed when the user comes (`needs_trim`, `cut`).
"""

from collections.abc import Mapping
from typing import TypeAlias

import attrs

QUEUE_MAX = 1_000  # messages owed to a user, all rooms together; beyond: the oldest fall out
QUEUE_MAX_MS = 7 * 24 * 3_600_000  # how long they are owed; beyond: they fall out
GAPS_MAX = 1_000  # gaps of one queue; each holds a message at least, so that this is QUEUE_MAX


@attrs.frozen
class Gap:
    """The seqs `first` to `last`, both included; nothing in it is older than `since_ms`."""

    first: int
    last: int
    since_ms: int


@attrs.frozen
class QueueCut:
    """What stays of what is owed in a room: the messages from `first_seq` on.

    None of them is older than `since_ms`, the time of the first.
    """

    first_seq: int
    since_ms: int


@attrs.frozen
class Queue:
    """What one member is owed in one room. Each change gives a new value, or the same object if
    nothing changes: so the caller sees that there is nothing to keep."""

    away_seq: int | None = None
    away_ms: int = 0
    gaps: tuple[Gap, ...] = ()
    fallen: tuple[int, int] | None = None

    @property
    def is_away(self) -> bool:
        """Whether no socket of the member is in the room."""
        return self.away_seq is not None

    def left(self, seen_seq: int, now_ms: int) -> "Queue":
        """The last socket of the member is gone; what is above `seen_seq` is owed."""
        if self.is_away:
            return self
        return attrs.evolve(self, away_seq=seen_seq, away_ms=now_ms)

    def returned(self, last_seq: int) -> "Queue":
        """A socket of the member is there, and `last_seq` is the room's newest."""
        if not self.is_away:
            return self
        return Queue(None, 0, self.owed(last_seq), self.fallen)

    def without(self, seq: int) -> "Queue":
        """One message leaves the queue: it was acknowledged, or is the member's own."""
        if self.away_seq is not None and seq > self.away_seq:
            between = _gap(self.away_seq + 1, seq - 1, self.away_ms)
            return attrs.evolve(self, away_seq=seq, gaps=self.gaps + between)._bounded()
        for at, gap in enumerate(self.gaps):
            if gap.first <= seq <= gap.last:
                rest = (
                    *_gap(gap.first, seq - 1, gap.since_ms),
                    *_gap(seq + 1, gap.last, gap.since_ms),
                )
                gaps = (*self.gaps[:at], *rest, *self.gaps[at + 1 :])
                return attrs.evolve(self, gaps=gaps)._bounded()
        return self

    def without_up_to(self, seq: int) -> "Queue":
        """All messages up to `seq` leave the queue."""
        first = self._first()
        if first is None or first > seq:
            return self
        away_seq = None if self.away_seq is None else max(self.away_seq, seq)
        return attrs.evolve(self, away_seq=away_seq, gaps=_above(self.gaps, seq))

    def owed(self, last_seq: int) -> tuple[Gap, ...]:
        """All that is owed while the room's newest seq is `last_seq`."""
        if self.away_seq is None:
            return self.gaps
        return self.gaps + _gap(self.away_seq + 1, last_seq, self.away_ms)

    def owed_count(self, last_seq: int) -> int:
        """How many messages are owed."""
        return sum(gap.last - gap.first + 1 for gap in self.owed(last_seq))

    def oldest_ms(self, last_seq: int) -> int | None:
        """A time such that no owed message is older, None if nothing is owed."""
        return min((gap.since_ms for gap in self.owed(last_seq)), default=None)

    def cut(self, keep_from: int, since_ms: int, last_seq: int) -> "Queue":
        """What is below `keep_from` falls out; nothing that stays is older than `since_ms`."""
        owed = self.owed(last_seq)
        if not owed or owed[0].first >= keep_from:
            return self
        fell = [gap for gap in owed if gap.first < keep_from]
        fallen = _joined(self.fallen, (fell[0].first, min(fell[-1].last, keep_from - 1)))
        gaps = tuple(
            attrs.evolve(gap, since_ms=max(gap.since_ms, since_ms))
            for gap in _above(self.gaps, keep_from - 1)
        )
        if self.away_seq is None:
            return Queue(None, 0, gaps, fallen)
        away_seq = max(self.away_seq, min(keep_from - 1, last_seq))
        return Queue(away_seq, max(self.away_ms, since_ms), gaps, fallen)

    def notified(self, fallen: tuple[int, int]) -> "Queue":
        """The member was notified that this fell out; if more did since, all of it stays."""
        return attrs.evolve(self, fallen=None) if self.fallen == fallen else self

    def _first(self) -> int | None:
        """The lowest seq that is owed, or would be if there were such a message."""
        if self.gaps:
            return self.gaps[0].first
        return None if self.away_seq is None else self.away_seq + 1

    def _bounded(self) -> "Queue":
        if len(self.gaps) <= GAPS_MAX:
            return self
        oldest, *rest = self.gaps
        fallen = _joined(self.fallen, (oldest.first, oldest.last))
        return attrs.evolve(self, gaps=tuple(rest), fallen=fallen)


PRESENT = Queue()

QueuesByRoom: TypeAlias = Mapping[str, Mapping[str, Queue]]
"""The queues of members, by connectionId, then by userId."""


def needs_trim(unread: int, oldest_ms: int | None, now_ms: int) -> bool:
    """Whether a user who is owed so much may be owed too much, or too old messages."""
    return unread > QUEUE_MAX or (oldest_ms is not None and oldest_ms < now_ms - QUEUE_MAX_MS)


def _gap(first: int, last: int, since_ms: int) -> tuple[Gap, ...]:
    """One gap, or none where it would be empty."""
    return (Gap(first, last, since_ms),) if first <= last else ()


def _above(gaps: tuple[Gap, ...], seq: int) -> tuple[Gap, ...]:
    """What the gaps hold above `seq`."""
    return tuple(
        gap if gap.first > seq else attrs.evolve(gap, first=seq + 1)
        for gap in gaps
        if gap.last > seq
    )


def _joined(old: tuple[int, int] | None, new: tuple[int, int]) -> tuple[int, int]:
    return new if old is None else (min(old[0], new[0]), max(old[1], new[1]))
