"""What a node learns of members that other nodes write too."""

from collections.abc import Collection, Mapping

import attrs
import trio
import trio.testing

from chatd.chat.message_machine import MessageMachine
from chatd.chat.order import Place
from chatd.chat.queue import Queue
from chatd.chat.shares import Seen, Share, SharedMember
from chatd.service.shared_membership import HINTED_S, LOOK_S, SharedMembership
from chatd.store import StoreReadFailed
from chatd.store.member_log import Standings, WrittenMembers

ROOM = "sales"
NOW_MS = 1_700_000_000_000


def away_since(seq: int, version: int) -> Seen:
    """Ann has left the room, having seen up to a seq."""
    member = SharedMember(Queue(seq, NOW_MS), seq, "Ann", Share(frozenset(), version))
    return Seen(ROOM, "ann", member, version)


@attrs.define
class FakeLog:
    """A `MemberLog`; what it is asked it notes."""

    standing: Standings = attrs.field(factory=lambda: Standings({}, ()))
    written: dict[int, WrittenMembers] = attrs.field(factory=dict)
    marks: list[int] = attrs.field(factory=list)
    is_failing: bool = False

    async def standings(self, user_id: str, rooms: Collection[str]) -> Standings:
        self._require()
        return self.standing

    async def written_since(self, mark: int) -> WrittenMembers:
        self.marks.append(mark)
        self._require()
        return self.written.get(mark, WrittenMembers((), mark))

    def _require(self) -> None:
        if self.is_failing:
            raise StoreReadFailed("the database is away")


@attrs.define
class Node:
    log: FakeLog = attrs.field(factory=FakeLog)
    held: set[str] = attrs.field(factory=set)
    noted: dict[str, Place] = attrs.field(factory=dict)
    machine: MessageMachine = attrs.field(factory=lambda: MessageMachine({}, {}, node=1))
    membership: SharedMembership = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self.membership = SharedMembership(
            self.machine, self.log, self, self.held.__contains__, self.noted.update, 7
        )

    def learn_head(self, connection_id: str, last_seq: int, last_rev: int) -> None:
        self.machine.learn_head(connection_id, last_seq, last_rev)

    def learn_member(self, seen: Seen) -> None:
        self.machine.members.learn(seen)

    def owed(self) -> Mapping[str, int]:
        return self.membership.standing("ann", NOW_MS).owed


async def test_who_connects_stands_where_the_log_says() -> None:
    node = Node()
    node.log.standing = Standings({ROOM: Place(9, 2)}, [away_since(5, 10)])
    await node.membership.look("ann", [ROOM])
    assert node.owed() == {ROOM: 4}
    assert node.noted == {ROOM: Place(9, 2)}
    assert (node.machine.last_seq(ROOM), node.machine.last_rev(ROOM)) == (9, 2)


async def test_the_head_of_a_room_that_is_held_is_heard_of_and_not_looked_up() -> None:
    node = Node()
    node.held.add(ROOM)
    node.machine.learn_head(ROOM, 8, 0)
    node.log.standing = Standings({ROOM: Place(9, 2)}, [away_since(5, 10)])
    await node.membership.look("ann", [ROOM])
    assert node.machine.last_seq(ROOM) == 8
    assert node.owed() == {ROOM: 3}


async def test_where_the_log_is_away_what_is_known_stands() -> None:
    node = Node()
    node.machine.learn_head(ROOM, 9, 0)
    node.machine.members.learn(away_since(5, 10))
    node.log.is_failing = True
    await node.membership.look("ann", [ROOM])
    assert node.owed() == {ROOM: 4}


async def test_what_was_seen_before_a_newer_version_does_not_count() -> None:
    node = Node()
    node.machine.learn_head(ROOM, 9, 0)
    node.machine.members.learn(away_since(5, 10))
    node.machine.members.learn(away_since(1, 9))
    node.machine.members.learn(Seen(ROOM, "ann", None, 8))
    assert node.owed() == {ROOM: 4}
    node.machine.members.learn(Seen(ROOM, "ann", None, 11))
    assert node.owed() == {}


async def test_what_others_write_is_followed_from_mark_to_mark(
    autojump_clock: trio.testing.MockClock,
) -> None:
    node = Node()
    node.machine.learn_head(ROOM, 9, 0)
    node.log.written = {
        7: WrittenMembers([away_since(5, 10)], 12),
        12: WrittenMembers([away_since(8, 13)], 14),
    }
    async with trio.open_nursery() as nursery:
        nursery.start_soon(node.membership.follow)
        await trio.sleep(1.5 * LOOK_S)
        assert node.owed() == {ROOM: 4}
        node.membership.hint()
        await trio.sleep(2 * HINTED_S)
        assert node.owed() == {ROOM: 1}
        node.log.is_failing = True
        await trio.sleep(5 * LOOK_S)
        node.log.is_failing = False
        node.log.written[14] = WrittenMembers([Seen(ROOM, "ann", None, 15)], 15)
        await trio.sleep(10 * LOOK_S)
        nursery.cancel_scope.cancel()
    assert node.owed() == {}
    assert node.log.marks[:3] == [7, 12, 14]
