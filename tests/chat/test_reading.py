"""What is unread, counted from tails, beside a model that knows every message."""

from array import array
from typing import Any

import attrs
import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from chatd.chat import reading
from chatd.chat.reading import (
    MENTIONING_MAX,
    TAIL_MAX,
    UNREAD_MAX,
    Lack,
    Mentioning,
    Reading,
    Stretch,
    Tails,
    seqs_of,
)

ROOM = "sales"


@attrs.define
class Written:
    author: str
    mentions: tuple[str, ...] = ()
    is_deleted: bool = False


class Room:
    """A room that forgets nothing but what retention removes, and tells what tails lack of it."""

    def __init__(self) -> None:
        self.messages: dict[int, Written] = {}
        self.first_kept = 1
        self.last_seq = 0

    def write(self, author: str, *mentions: str) -> int:
        self.last_seq += 1
        self.messages[self.last_seq] = Written(author, mentions)
        return self.last_seq

    def stretch(self, lack: Lack) -> Stretch:
        by_author: dict[str, Any] = {}
        deleted = seqs_of()
        for seq in range(lack.first_seq, lack.last_seq + 1):
            message = self.messages.get(seq)
            if message is not None and message.is_deleted:
                deleted.append(seq)
            elif message is not None:
                by_author.setdefault(message.author, array("Q")).append(seq)
        mentioning = [
            Mentioning(seq, one.author, one.mentions)
            for seq, one in self.messages.items()
            if one.mentions
        ]
        return Stretch(by_author, deleted, self.first_kept, mentioning[-MENTIONING_MAX:])

    def reading(self, user: str, read_seq: int) -> Reading:
        behind = [
            one
            for seq, one in self.messages.items()
            if seq > read_seq and one.author != user and not one.is_deleted
        ]
        unread = min(len(behind), UNREAD_MAX)
        mentions = sum(user in one.mentions for one in behind)
        return Reading(read_seq, unread, min(mentions, unread))


def filled(tails: Tails, room: Room, user: str, read_seq: int) -> Reading:
    """The reading of a user, once nothing is lacking for it."""
    for _ in range(10):
        lack = tails.lacking(ROOM, user, read_seq, room.last_seq)
        if lack is None:
            break
        tails.learn(lack, room.stretch(lack))
    assert tails.lacking(ROOM, user, read_seq, room.last_seq) is None
    return tails.reading(ROOM, user, read_seq, room.last_seq)


def add(tails: Tails, room: Room, author: str, *mentions: str) -> int:
    seq = room.write(author, *mentions)
    tails.add(ROOM, seq, author, mentions)
    return seq


USERS = st.sampled_from(["ada", "bob", "cyd"])
MENTIONED = st.lists(USERS, max_size=2, unique=True)


class Walk(RuleBasedStateMachine):
    """A room of two processes: what was written before is learnt, what is written now is added."""

    def __init__(self) -> None:
        super().__init__()
        self.room = Room()
        self.tails = Tails()

    @rule(authors=st.lists(st.tuples(USERS, MENTIONED), max_size=8))
    def write(self, authors: list[tuple[str, list[str]]]) -> None:
        for author, mentions in authors:
            add(self.tails, self.room, author, *mentions)

    @rule()
    def start_anew(self) -> None:
        self.tails = Tails()

    @rule(user=USERS, behind=st.integers(0, 30))
    def read(self, user: str, behind: int) -> None:
        read_seq = max(0, self.room.last_seq - behind)
        expected = self.room.reading(user, read_seq)
        assert filled(self.tails, self.room, user, read_seq) == expected

    @rule(behind=st.integers(0, 20))
    def delete(self, behind: int) -> None:
        seq = self.room.last_seq - behind
        message = self.room.messages.get(seq)
        if message is not None and not message.is_deleted:
            message.is_deleted, message.mentions = True, ()
            self.tails.delete(ROOM, seq, message.author)

    @rule(behind=st.integers(0, 20), mentions=MENTIONED)
    def edit(self, behind: int, mentions: list[str]) -> None:
        seq = self.room.last_seq - behind
        message = self.room.messages.get(seq)
        if message is not None and not message.is_deleted:
            message.mentions = tuple(mentions)
            self.tails.mention_anew(ROOM, seq, message.author, message.mentions)

    @rule(behind=st.integers(0, 20))
    def forget(self, behind: int) -> None:
        first_kept = max(self.room.first_kept, self.room.last_seq - behind)
        self.room.first_kept = first_kept
        for seq in [seq for seq in self.room.messages if seq < first_kept]:
            del self.room.messages[seq]
        self.tails.forget(ROOM, first_kept)

    @invariant()
    def nothing_is_counted_twice(self) -> None:
        tails = self.tails._tails.values()
        seqs = [
            seqs
            for tail in tails
            for seqs in (*tail.by_author.values(), *tail.mentions.values(), tail.deleted)
        ]
        assert self.tails.size == sum(map(len, seqs))


TestWalk = Walk.TestCase


def test_of_many_messages_so_many_are_counted() -> None:
    tails, room = Tails(), Room()
    for _ in range(UNREAD_MAX + 1):
        room.write("ada")
    assert filled(tails, room, "bob", 0) == Reading(0, UNREAD_MAX, 0)
    assert filled(tails, room, "bob", 2) == Reading(2, UNREAD_MAX - 1, 0)


def test_own_messages_among_them_make_it_look_further() -> None:
    tails, room = Tails(), Room()
    for n in range(TAIL_MAX):
        room.write("bob" if n % 2 else "ada")
    assert filled(tails, room, "bob", 0) == Reading(0, UNREAD_MAX, 0)
    assert filled(tails, room, "bob", 1) == Reading(1, UNREAD_MAX - 1, 0)


@pytest.mark.parametrize("messages", [10, 10 * TAIL_MAX])
def test_no_more_is_read_than_a_count_needs(messages: int) -> None:
    tails, room = Tails(), Room()
    for _ in range(messages):
        room.write("bob")
    lacks = []
    while lack := tails.lacking(ROOM, "bob", 0, room.last_seq):
        lacks.append(lack.last_seq - lack.first_seq + 1)
        tails.learn(lack, room.stretch(lack))
    assert sum(lacks) == min(messages, TAIL_MAX)
    assert max(lacks) <= reading.STRETCH_MAX


def test_who_has_read_all_lacks_nothing() -> None:
    tails = Tails()
    assert tails.lacking(ROOM, "ada", 200_000, 200_000) is None
    assert tails.reading(ROOM, "ada", 200_000, 200_000) == Reading(200_000, 0, 0)


def test_what_is_lacking_counts_as_messages_of_others() -> None:
    assert Tails().reading(ROOM, "ada", 3, 7) == Reading(3, 4, 0)


def test_what_was_learnt_for_one_serves_the_other() -> None:
    tails, room = Tails(), Room()
    for n in range(50):
        room.write("ada" if n % 2 else "bob", "cyd")
    assert filled(tails, room, "ada", 10) == Reading(10, 20, 0)
    assert tails.lacking(ROOM, "bob", 10, room.last_seq) is None
    assert tails.reading(ROOM, "cyd", 40, room.last_seq) == Reading(40, 10, 10)


def test_what_was_changed_since_it_was_read_is_read_again() -> None:
    tails, room = Tails(), Room()
    for _ in range(5):
        room.write("ada")
    lack = tails.lacking(ROOM, "bob", 0, 5)
    assert lack is not None
    stretch = room.stretch(lack)
    room.messages[3].is_deleted = True
    tails.delete(ROOM, 3, "ada")
    tails.learn(lack, stretch)
    assert filled(tails, room, "bob", 0) == Reading(0, 4, 0)


def test_what_two_have_asked_for_counts_once() -> None:
    tails, room = Tails(), Room()
    for _ in range(5):
        room.write("ada")
    lacks = [tails.lacking(ROOM, user, 0, 5) for user in ("bob", "cyd")]
    for lack in lacks:
        assert lack is not None
        tails.learn(lack, room.stretch(lack))
    assert tails.size == 5
    assert filled(tails, room, "bob", 0) == Reading(0, 5, 0)


def test_a_tail_grows_no_longer_than_it_is_counted() -> None:
    tails, room = Tails(), Room()
    for _ in range(5 * TAIL_MAX):
        add(tails, room, "ada")
    assert tails.size <= 2 * TAIL_MAX
    assert filled(tails, room, "bob", room.last_seq - 3) == Reading(room.last_seq - 3, 3, 0)


def test_mentions_are_known_further_back_than_authors_and_not_without_end() -> None:
    tails, room = Tails(), Room()
    first = add(tails, room, "ada", "bob")
    for _ in range(3 * TAIL_MAX):
        add(tails, room, "ada")
    assert filled(tails, room, "bob", first - 1).mentions == 1
    for _ in range(3 * MENTIONING_MAX):
        add(tails, room, "ada", "bob")
    assert filled(tails, room, "bob", 0).mentions == UNREAD_MAX
    assert tails.size <= 2 * TAIL_MAX + 2 * MENTIONING_MAX


def test_the_room_that_was_asked_for_the_longest_ago_is_forgotten() -> None:
    tails = Tails(tails_max=6)
    for room in ("a", "b", "c"):
        for seq in (1, 2):
            tails.add(room, seq, "ada", ())
        tails.lacking(room, "bob", 0, 2)
    tails.lacking("a", "bob", 0, 2)
    tails.add("d", 1, "ada", ())
    assert tails.size <= 6
    assert tails.lacking("a", "bob", 0, 2) is None
    assert tails.lacking("b", "bob", 0, 2) is not None
    assert tails.reading("b", "bob", 0, 2) == Reading(0, 2, 0)


def test_ones_own_mention_does_not_count() -> None:
    tails, room = Tails(), Room()
    add(tails, room, "ada", "ada", "bob")
    assert filled(tails, room, "ada", 0) == Reading(0, 0, 0)
    assert filled(tails, room, "bob", 0) == Reading(0, 1, 1)
