"""How much of a room a user has not read: messages of others behind its marker, and mentions.

The marker is a seq, kept with the member. What lies after it is counted here, without the history:
of the newest messages of each room, the **tail** of the room, only the authors are known.

- A tail grows at its end by what is stored. It grows towards its beginning by what is read from the
  log, only as far as somebody's count needs it (`Tails.lacking`, `Tails.learn`); so a user who has
  read all costs nothing, and what is read for one user serves all of the room.
- `TAIL_MAX` messages of a room are enough to count `UNREAD_MAX` of others. For a user who wrote
  more than half of them, older ones count as messages of others.
- Mentions are rare, and are known further back: those of the newest `MENTIONING_MAX` messages that
  mention anybody.
- All tails together hold `TAILS_MAX` entries; beyond, the room that was asked for the longest ago
  is forgotten, and read again when it is asked for.
"""

from array import array
from bisect import bisect_left, bisect_right, insort
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TypeAlias

import attrs

UNREAD_MAX = 1_000  # messages that are counted; beyond: that many
TAIL_MAX = 2_000  # messages of a room that are looked at
STRETCH_MAX = 1_000  # messages that are read from the log at once
MENTIONING_MAX = 1_000  # messages of a room that mention somebody
TAILS_MAX = 2_000_000  # seqs in all tails; each is 8 bytes, and some for its author

Seqs: TypeAlias = "array[int]"


@attrs.frozen
class Reading:
    """Where a user stands in a room: up to where it has read, and what comes after that."""

    read_seq: int
    unread: int
    mentions: int


@attrs.frozen
class Lack:
    """Messages of a room that have to be read from the log, for a count to be right.

    `stamp` tells whether something of them was changed since.
    """

    connection_id: str
    first_seq: int
    last_seq: int
    stamp: int


@attrs.frozen
class Mentioning:
    """A message that mentions users: its seq, its author, and whom."""

    seq: int
    author: str
    mentions: tuple[str, ...]


@attrs.frozen
class Stretch:
    """A part of a room as the log has it.

    The seqs by their authors, ascending, and those of deleted messages; the oldest seq that the
    room still has; and the newest `MENTIONING_MAX` messages of the whole room that mention
    somebody, oldest first.
    """

    by_author: Mapping[str, Seqs]
    deleted: Seqs
    first_kept: int
    mentioning: Sequence[Mentioning]


class _Tail:
    """The newest messages of one room, from `from_seq` on."""

    __slots__ = (
        "by_author",
        "deleted",
        "first_kept",
        "from_seq",
        "knows_mentions",
        "last_seq",
        "mentioning",
        "mentions",
        "size",
        "stamp",
    )

    def __init__(self, last_seq: int) -> None:
        self.from_seq = last_seq + 1
        self.last_seq = last_seq
        self.first_kept = 0  # retention has removed what is below
        self.by_author: dict[str, Seqs] = {}
        self.deleted = seqs_of()
        self.mentions: dict[str, Seqs] = {}  # by who is mentioned
        self.mentioning = seqs_of()
        self.knows_mentions = last_seq == 0
        self.size = 0
        self.stamp = 0

    def append(self, seq: int, author: str, mentions: Sequence[str]) -> None:
        self.last_seq = seq
        seqs = self.by_author.get(author)
        if seqs is None:
            seqs = self.by_author[author] = seqs_of()
        seqs.append(seq)
        self.size += 1
        if mentions:
            self._mention(Mentioning(seq, author, tuple(mentions)))

    def learn(self, lack: Lack, stretch: Stretch) -> None:
        for author, seqs in stretch.by_author.items():
            self.by_author[author] = seqs + self.by_author.get(author, seqs_of())
            self.size += len(seqs)
        self.deleted = stretch.deleted + self.deleted
        self.size += len(stretch.deleted)
        self.from_seq = lack.first_seq
        self.first_kept = max(self.first_kept, stretch.first_kept)
        if not self.knows_mentions:
            self.knows_mentions = True
            known = set(self.mentioning)
            for one in stretch.mentioning:
                if one.seq not in known:
                    self._mention(one)

    def reading(self, user_id: str, read_seq: int) -> Reading:
        behind = max(read_seq, self.first_kept - 1)
        unread = self.last_seq - behind
        for seqs in (self.by_author.get(user_id), self.deleted):
            if seqs is not None:
                unread -= len(seqs) - bisect_right(seqs, behind)
        mentions = self.mentions.get(user_id)
        mentioned = 0 if mentions is None else len(mentions) - bisect_right(mentions, behind)
        unread = min(unread, UNREAD_MAX)
        return Reading(read_seq, unread, min(mentioned, unread))

    def lacks(self, user_id: str, read_seq: int) -> tuple[int, int] | None:
        """The first and last seq of what is not known, but needed for the user's count."""
        if read_seq >= self.last_seq:
            return None
        oldest = max(read_seq + 1, self.first_kept, self.last_seq - TAIL_MAX + 1, 1)
        if self.from_seq > oldest and self._known_of_others(user_id, read_seq) < UNREAD_MAX:
            return max(oldest, self.from_seq - STRETCH_MAX), self.from_seq - 1
        return None if self.knows_mentions else (self.from_seq, self.from_seq - 1)

    def delete(self, seq: int, author: str) -> None:
        self.stamp += 1
        _discard(self.by_author.get(author), seq)
        if seq >= self.from_seq:
            insort(self.deleted, seq)
        self.mention_anew(seq, author, ())

    def mention_anew(self, seq: int, author: str, mentions: Sequence[str]) -> None:
        self.stamp += 1
        if _discard(self.mentioning, seq):
            for user_id in list(self.mentions):
                self._unmention(user_id, seq)
        if mentions:
            self._mention(Mentioning(seq, author, tuple(mentions)))

    def forget_below(self, first_seq: int) -> None:
        """Know nothing below `first_seq` any more."""
        self.from_seq = max(self.from_seq, first_seq)
        for author, seqs in list(self.by_author.items()):
            self.size -= _cut(seqs, first_seq)
            if not seqs:
                del self.by_author[author]
        self.size -= _cut(self.deleted, first_seq)

    def forget_mentions_below(self, first_seq: int) -> None:
        _cut(self.mentioning, first_seq)
        for user_id, seqs in list(self.mentions.items()):
            self.size -= _cut(seqs, first_seq)
            if not seqs:
                del self.mentions[user_id]

    @property
    def is_long(self) -> bool:
        return self.last_seq - self.from_seq >= 2 * TAIL_MAX

    def _known_of_others(self, user_id: str, read_seq: int) -> int:
        known = self.last_seq - max(read_seq, self.from_seq - 1)
        return known - len(self.by_author.get(user_id, ())) - len(self.deleted)

    def _mention(self, one: Mentioning) -> None:
        insort(self.mentioning, one.seq)
        for user_id in one.mentions:
            if user_id != one.author:
                insort(self.mentions.setdefault(user_id, seqs_of()), one.seq)
                self.size += 1
        if len(self.mentioning) >= 2 * MENTIONING_MAX:
            self.forget_mentions_below(self.mentioning[-MENTIONING_MAX])

    def _unmention(self, user_id: str, seq: int) -> None:
        seqs = self.mentions[user_id]
        if _discard(seqs, seq):
            self.size -= 1
            if not seqs:
                del self.mentions[user_id]


class Tails:
    """The tails of all rooms. Told of each message once the log has it."""

    def __init__(self, tails_max: int = TAILS_MAX) -> None:
        self._tails_max = tails_max
        self._tails: dict[str, _Tail] = {}  # the one that was asked for the longest ago first
        self.size = 0

    def add(self, connection_id: str, seq: int, author: str, mentions: Sequence[str]) -> None:
        """A message was stored."""
        tail = self._tails.get(connection_id)
        if tail is None:
            tail = self._tails[connection_id] = _Tail(seq - 1)
        before = tail.size
        tail.append(seq, author, mentions)
        if tail.is_long:
            tail.forget_below(seq - TAIL_MAX + 1)
        self._resize(tail.size - before)

    def delete(self, connection_id: str, seq: int, author: str) -> None:
        """A message was deleted: it no longer counts."""
        self._change(connection_id, lambda tail: tail.delete(seq, author))

    def mention_anew(
        self, connection_id: str, seq: int, author: str, mentions: Sequence[str]
    ) -> None:
        """A message mentions these users now, and no others."""
        self._change(connection_id, lambda tail: tail.mention_anew(seq, author, mentions))

    def forget(self, connection_id: str, first_seq: int) -> None:
        """Retention removed what is below `first_seq`."""

        def forget(tail: _Tail) -> None:
            tail.stamp += 1
            tail.first_kept = max(tail.first_kept, first_seq)
            tail.forget_below(first_seq)
            tail.forget_mentions_below(first_seq)

        self._change(connection_id, forget)

    def drop(self, connection_id: str) -> None:
        """Know nothing of a room any more; the log has it."""
        tail = self._tails.pop(connection_id, None)
        if tail is not None:
            self.size -= tail.size

    def clear(self) -> None:
        """Know nothing of any room any more."""
        self._tails.clear()
        self.size = 0

    def reading(self, connection_id: str, user_id: str, read_seq: int, last_seq: int) -> Reading:
        """Where a user stands whose marker is at `read_seq`, in a room whose newest seq is
        `last_seq`. What is not known (`lacking`) counts as messages of others."""
        if read_seq >= last_seq:
            return Reading(read_seq, 0, 0)
        tail = self._tails.get(connection_id)
        if tail is None:
            return Reading(read_seq, min(last_seq - read_seq, UNREAD_MAX), 0)
        return tail.reading(user_id, read_seq)

    def lacking(
        self, connection_id: str, user_id: str, read_seq: int, last_seq: int
    ) -> Lack | None:
        """What has to be learnt next, for `reading` to be right."""
        if read_seq >= last_seq:
            return None
        tail = self._tails.pop(connection_id, None)
        if tail is None:
            tail = _Tail(last_seq)
        self._tails[connection_id] = tail
        seqs = tail.lacks(user_id, read_seq)
        return None if seqs is None else Lack(connection_id, *seqs, tail.stamp)

    def learn(self, lack: Lack, stretch: Stretch) -> None:
        """Learn what the log has of it. If something was changed since, or was learnt for somebody
        else, this is of no use: then it is still lacking."""
        tail = self._tails.get(lack.connection_id)
        if tail is None or tail.stamp != lack.stamp or tail.from_seq != lack.last_seq + 1:
            return
        self._change(lack.connection_id, lambda tail: tail.learn(lack, stretch))

    def _change(self, connection_id: str, change: Callable[[_Tail], None]) -> None:
        tail = self._tails.get(connection_id)
        if tail is not None:
            before = tail.size
            change(tail)
            self._resize(tail.size - before)

    def _resize(self, change: int) -> None:
        self.size += change
        while self.size > self._tails_max and len(self._tails) > 1:
            oldest = self._tails.pop(next(iter(self._tails)))
            self.size -= oldest.size


def seqs_of(seqs: Iterable[int] = ()) -> Seqs:
    """Seqs in the form in which tails hold them."""
    return array("Q", seqs)


def _discard(seqs: "Seqs | None", seq: int) -> bool:
    """Take a seq out; returns whether it was there."""
    if seqs is None:
        return False
    at = bisect_left(seqs, seq)
    if at == len(seqs) or seqs[at] != seq:
        return False
    del seqs[at]
    return True


def _cut(seqs: Seqs, first_seq: int) -> int:
    """Take out what is below; returns how many there were."""
    cut = bisect_left(seqs, first_seq)
    del seqs[:cut]
    return cut
