"""Several nodes, each with a machine of its own, over one log in PostgreSQL."""

import random
from collections.abc import AsyncIterator, Collection, Mapping, Sequence

import attrs
import pytest
import trio

from chatd.actors.shared_ledger import SharedLedger
from chatd.actors.taking_up import take_up
from chatd.chat.commits import CommitFailed, CommitOutcome, StoreClosed
from chatd.chat.message_machine import MessageMachine
from chatd.chat.messages import (
    Accepted,
    AcknowledgementKept,
    ChangeKept,
    ChangeRefused,
    ClearOverflow,
    Command,
    Effect,
    Joined,
    LeaveRooms,
    Marked,
    MarkRead,
    NotStored,
    PutReaction,
    RemoveMember,
    Settled,
    TrimQueues,
)
from chatd.chat.order import Place
from chatd.chat.queue import PRESENT
from chatd.chat.records import Message, MessageStored, Record
from chatd.postgres_store.log import PostgresLog
from chatd.postgres_store.members import PostgresMembers
from chatd.postgres_store.opening import OpenedLog, open_log
from chatd.postgres_store.reader_pool import READ_S, ReaderPool, pool_to_read
from chatd.postgres_store.recovery import recover
from chatd.postgres_store.sessions import LogAddress, connect
from chatd.wire.codes import Code
from tests.chat.commands import acknowledge, join, leave, send
from tests.postgres_store.logs import NOW_MS, another_node, emptied, rows_of

pytestmark = pytest.mark.timeout(120)

ROOM = "demo"


@attrs.define(eq=False)
class Node:
    """A node, without its clients."""

    opened: OpenedLog
    machine: MessageMachine = attrs.field(init=False)
    log: PostgresLog = attrs.field(init=False)
    ledger: SharedLedger = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self.machine = MessageMachine({}, {})
        self.log = PostgresLog(self.opened)
        self.ledger = SharedLedger(self.machine, self.log)

    async def begin(self, *in_rooms: tuple[str, str], leaving: Sequence[LeaveRooms] = ()) -> None:
        with connect(self.opened.address) as connection:
            held = recover(connection, self.opened.node_id).recovered
        take_up(self.machine, held)
        await self.ledger.begin(in_rooms, NOW_MS, leaving)

    async def does(self, *batch: Command) -> Sequence[Effect]:
        return await self.ledger.carry_out(batch, NOW_MS)

    async def says(self, number: int, **fields: object) -> Message:
        [effect] = await self.does(send(number, f"message {number}", **fields))
        assert isinstance(effect, Accepted)
        return effect.message


@pytest.fixture
def address(log_address: LogAddress) -> LogAddress:
    return emptied(log_address)


@pytest.fixture
async def nodes(address: LogAddress) -> AsyncIterator[list[Node]]:
    first = open_log(address, NOW_MS)
    made = [Node(first), Node(another_node(first)), Node(another_node(first))]
    for node in made:
        await node.begin()
    yield made
    for node in made:
        assert await node.log.close(30)


@pytest.fixture
async def reader(address: LogAddress) -> AsyncIterator[PostgresMembers]:
    pool = ReaderPool(pool_to_read(address, 1, READ_S))
    yield PostgresMembers(pool)
    pool.close()


def members(address: LogAddress) -> dict[tuple[str, str], tuple[list[int], int | None, int]]:
    """On which nodes each member is, where it is away from, and up to where it has read."""
    rows = rows_of(
        address,
        "SELECT r.connection_id, m.user_id, m.stays, m.away_seq, m.read_seq FROM members m JOIN"
        " rooms r USING (room_id)",
    )
    return {(room, user): (sorted(stays), away, read) for room, user, stays, away, read in rows}


async def test_a_member_is_away_once_it_has_left_on_all_nodes(
    nodes: list[Node], address: LogAddress
) -> None:
    one, two, three = nodes
    await one.says(1, user_id="bob")
    await one.does(join(ROOM))
    await two.does(join(ROOM))
    here = [node.opened.node_id for node in nodes]
    assert members(address) == {(ROOM, "ann"): (here[:2], None, 1)}
    await one.does(leave((ROOM, 1)))
    assert members(address) == {(ROOM, "ann"): (here[1:2], None, 1)}
    await two.says(2, user_id="bob")
    await two.does(leave((ROOM, 2)))
    assert members(address) == {(ROOM, "ann"): ([], 2, 1)}
    await one.says(3, user_id="bob")
    await two.says(4, user_id="bob")
    [joined] = await three.does(join(ROOM))
    assert isinstance(joined, Joined)
    assert joined.last_seqs == (4,)
    assert [(gap.first, gap.last) for gap in joined.owed[0]] == [(3, 4)]
    assert members(address)[ROOM, "ann"][:2] == (here[2:], None)


async def test_what_was_seen_on_one_node_is_not_owed_where_another_is_left_later(
    nodes: list[Node],
) -> None:
    one, two, _ = nodes
    await one.does(join(ROOM))
    await two.does(join(ROOM))
    for number in range(1, 6):
        await one.says(number, user_id="bob")
    await one.does(leave((ROOM, 4)))
    await two.does(leave((ROOM, 2)))  # it was slower
    [joined] = await two.does(join(ROOM))
    assert isinstance(joined, Joined)
    assert [(gap.first, gap.last) for gap in joined.owed[0]] == [(5, 5)]


async def test_nobody_is_owed_a_message_of_its_own_of_which_its_socket_did_not_hear(
    nodes: list[Node],
) -> None:
    """Others store more before the user's leave is carried out; memory has a hole then."""
    one, two, _ = nodes
    await one.does(join(ROOM), join(ROOM, user_id="bob"))
    for number, user in enumerate(("bob", "ann", "bob", "ann", "bob"), 1):
        await (one if user == "ann" else two).says(number, user_id=user)
    _, ann = await one.does(leave((ROOM, 1)), join(ROOM))
    _, bob = await one.does(leave((ROOM, 1), user_id="bob"), join(ROOM, user_id="bob"))
    assert (owed_by(ann), owed_by(bob)) == ([(3, 3), (5, 5)], [(2, 2), (4, 4)])


async def test_own_messages_are_looked_up_of_who_is_owed_something_by_its_leave(
    nodes: list[Node],
) -> None:
    """Not of who is no member, away already, there on another node, or has seen all."""
    one, two, _ = nodes
    await two.does(join(ROOM, user_id="bob"))
    await one.does(join(ROOM), join(ROOM, user_id="bob"))
    for number in range(1, 4):
        await two.says(number, user_id="eve")
    one.ledger.learn_head(ROOM, 3, 0)
    lacking = one.machine.lacking_own
    assert lacking([leave((ROOM, 1)), leave((ROOM, 1))]) == {(ROOM, "ann"): 1}
    assert lacking([leave((ROOM, 3))]) == {}
    assert lacking([leave((ROOM, 0), user_id="bob")]) == {}
    assert lacking([leave((ROOM, 0), user_id="nobody")]) == {}
    await one.does(leave((ROOM, 2)))
    assert lacking([leave((ROOM, 0))]) == {}


async def test_what_cannot_be_looked_up_holds_nobody_up(nodes: list[Node]) -> None:
    one, two, _ = nodes
    await one.does(join(ROOM))
    await one.says(1, user_id="ann")
    await two.says(2, user_id="bob")
    one.ledger.learn_head(ROOM, 2, 0)
    one.ledger = SharedLedger(one.machine, BlindLog(one.log))
    left, sent = await one.does(leave((ROOM, 0)), send(3))
    assert [type(effect) for effect in (left, sent)] == [Settled, Accepted]
    [joined] = await one.does(join(ROOM))
    assert owed_by(joined) == [(1, 2)]  # with its own, as nobody knows better


async def test_who_hangs_up_before_its_join_is_answered_is_owed_nothing_old(
    nodes: list[Node],
) -> None:
    """Its node did not hold the room, and knows no better than that nothing was seen."""
    one, two, _ = nodes
    for number in range(1, 4):
        await two.says(number, user_id="bob")
    await one.does(join(ROOM), leave((ROOM, 0)))
    await two.says(4, user_id="bob")
    [joined] = await one.does(join(ROOM))
    assert owed_by(joined) == [(4, 4)]
    await one.does(leave((ROOM, 0)))
    [joined] = await two.does(join(ROOM))
    assert owed_by(joined) == [(4, 4)]


async def test_who_comes_to_a_second_node_and_hangs_up_misses_nothing(nodes: list[Node]) -> None:
    one, two, three = nodes
    await one.does(join(ROOM))
    for number in range(1, 4):
        await three.says(number, user_id="bob")
    await two.does(join(ROOM), leave((ROOM, 0)))
    await one.does(leave((ROOM, 1)))
    [joined] = await one.does(join(ROOM))
    assert owed_by(joined) == [(2, 3)]


def owed_by(effect: Effect) -> list[tuple[int, int]]:
    assert isinstance(effect, Joined)
    return [(gap.first, gap.last) for gap in effect.owed[0]]


async def test_who_comes_back_is_owed_what_all_nodes_have_stored(nodes: list[Node]) -> None:
    one, two, _ = nodes
    await one.does(join(ROOM))
    await one.does(leave((ROOM, 0)))
    for number in range(1, 4):
        await two.says(number, user_id="bob")
    [joined] = await one.does(join(ROOM))
    assert isinstance(joined, Joined)
    assert [(gap.first, gap.last) for gap in joined.owed[0]] == [(1, 3)]


async def test_a_room_that_is_taken_away_on_one_node_is_joined_anew_on_another(
    nodes: list[Node], address: LogAddress
) -> None:
    one, two, _ = nodes
    await one.does(join(ROOM))
    await two.does(join(ROOM))
    await one.does(RemoveMember("ann", (ROOM,)))
    assert members(address) == {}
    await two.does(leave((ROOM, 0)))  # of a user who is no longer a member
    assert members(address) == {}
    await two.does(join(ROOM))
    assert members(address) == {(ROOM, "ann"): ([two.opened.node_id], None, 0)}


async def test_a_receipt_is_told_once(nodes: list[Node]) -> None:
    one, two, _ = nodes
    message = await one.says(1, user_id="ann")
    [told] = await one.does(acknowledge(message, message, user_id="bob"))
    [again] = await two.does(acknowledge(message, message, user_id="eve"))
    assert isinstance(told, AcknowledgementKept)
    assert isinstance(again, AcknowledgementKept)
    assert [len(one.delivered) for one in (told, again)] == [1, 0]


async def test_a_marker_never_goes_back(nodes: list[Node], address: LogAddress) -> None:
    one, two, _ = nodes
    for number in range(1, 6):
        await one.says(number, user_id="bob")
    two.ledger.learn_head(ROOM, 5, 0)
    await one.does(join(ROOM, user_id="eve"))
    await one.does(RemoveMember("eve", (ROOM,)))
    for node in (one, two):
        await node.does(join(ROOM))
    await one.says(6, user_id="bob")
    await one.says(7, user_id="bob")
    two.ledger.learn_head(ROOM, 7, 0)
    [moved] = await one.does(MarkRead(None, "ann", ROOM, 7))
    [stale] = await two.does(MarkRead(None, "ann", ROOM, 6))
    assert isinstance(moved, Marked)
    assert isinstance(stale, Marked)
    assert (moved.has_moved, stale.has_moved) == (True, False)
    assert members(address)[ROOM, "ann"][2] == 7
    assert two.machine.reading(ROOM, "ann").read_seq == 7


async def test_changes_of_one_message_on_two_nodes_follow_each_other(
    nodes: list[Node], address: LogAddress
) -> None:
    one, two, _ = nodes
    message = await one.says(1)
    revs = []
    for node, emoji, user in ((one, "👍", "ann"), (two, "👍", "bob"), (one, "🎉", "eve")):
        [kept] = await node.does(PutReaction(None, user, message, 0, emoji, True))
        assert isinstance(kept, ChangeKept), kept
        revs.append(kept.change.rev)
    assert revs == [1, 2, 3]
    assert kept.change.message.changes is not None
    found = [(one.emoji, one.users) for one in kept.change.message.changes.reactions]
    assert found == [("👍", ("ann", "bob")), ("🎉", ("eve",))]


async def test_what_is_heard_of_other_nodes_is_known_without_a_look_at_the_log(
    nodes: list[Node],
) -> None:
    one, two, _ = nodes
    message = await one.says(1, user_id="bob")
    two.ledger.hear(message)
    two.ledger.hear(message)
    [kept] = await one.does(PutReaction(None, "ann", message, 0, "👍", True))
    assert isinstance(kept, ChangeKept)
    two.ledger.hear(kept.change)
    assert (two.machine.last_seq(ROOM), two.machine.last_rev(ROOM)) == (1, 1)
    assert two.machine.knows(message.message_id)
    [kept] = await two.does(PutReaction(None, "bob", message, 1, "👍", True))
    assert isinstance(kept, ChangeKept)
    assert kept.change.rev == 2


async def test_messages_of_ones_own_leave_no_hole_in_what_is_known(nodes: list[Node]) -> None:
    one, two, _ = nodes
    await one.does(join(ROOM), *(send(number, user_id="bob") for number in range(1, 4)))
    assert one.machine.lacking(ROOM, "ann") is None
    assert one.machine.recent_from(ROOM) == 1
    await two.says(4, user_id="bob")
    await one.does(send(5, user_id="bob"), send(6, user_id="bob"))
    assert one.machine.lacking(ROOM, "ann") is not None  # of what the other node has stored
    assert one.machine.recent_from(ROOM) == 5


async def test_members_that_other_nodes_have_written_are_found_and_learnt(
    nodes: list[Node], reader: PostgresMembers
) -> None:
    one, two, _ = nodes
    mark = two.opened.log.member_mark
    await one.does(join(ROOM), join(ROOM, user_id="bob"))
    found = await reader.written_since(mark)
    for seen in found.members:
        two.ledger.learn_member(seen)
    assert {*two.machine.members.of_room(ROOM)} == {"ann", "bob"}
    await one.does(RemoveMember("ann", (ROOM,)))
    found = await reader.written_since(found.mark)
    for seen in found.members:
        two.ledger.learn_member(seen)
    assert {*two.machine.members.of_room(ROOM)} == {"bob"}
    assert found.mark >= mark


async def test_where_a_user_stands_is_read_as_of_now(
    nodes: list[Node], reader: PostgresMembers
) -> None:
    one, two, _ = nodes
    await one.does(join("other"))
    await two.says(1, user_id="bob")
    found = await reader.standings("ann", [ROOM, "never"])
    assert found.heads == {ROOM: Place(1, 0), "other": Place(0, 0)}
    [seen] = found.members
    assert (seen.connection_id, seen.user_id) == ("other", "ann")
    assert seen.member is not None
    assert seen.member.queue == PRESENT
    assert seen.member.share.stays == {one.opened.node_id}


async def test_an_actor_that_begins_anew_says_who_is_there(
    nodes: list[Node], address: LogAddress
) -> None:
    one, two, _ = nodes
    await one.does(join(ROOM), join("other"))
    await two.does(join("other"))
    await one.begin((ROOM, "ann"), (ROOM, "bob"))
    first, second = one.opened.node_id, two.opened.node_id
    assert {key: stays for key, (stays, _, _) in members(address).items()} == {
        (ROOM, "ann"): [first],
        (ROOM, "bob"): [first],
        ("other", "ann"): [second],
    }


@attrs.define(eq=False)
class FailingLog:
    """A log that takes nothing while `is_away`."""

    log: PostgresLog
    error: Exception = attrs.field(factory=lambda: CommitFailed(Code.STORAGE_ERROR, "it is away"))
    is_away: bool = True

    async def commit(self, records: Sequence[Record]) -> CommitOutcome:
        self._require()
        return await self.log.commit(records)

    async def heads(self, rooms: Collection[str]) -> Mapping[str, tuple[int, int]]:
        self._require()
        return await self.log.heads(rooms)

    async def messages(self, places: Collection[tuple[str, int]]) -> Sequence[Message]:
        self._require()
        return await self.log.messages(places)

    async def seqs_of(
        self, authors: Mapping[tuple[str, str], int]
    ) -> Sequence[tuple[str, str, int]]:
        self._require()
        return await self.log.seqs_of(authors)

    def _require(self) -> None:
        if self.is_away:
            raise self.error


@attrs.define(eq=False)
class BlindLog(FailingLog):
    """A log that does not say who has written what."""

    is_away: bool = False

    async def seqs_of(
        self, authors: Mapping[tuple[str, str], int]
    ) -> Sequence[tuple[str, str, int]]:
        raise self.error


async def test_of_leaves_that_are_kept_the_first_counts(nodes: list[Node]) -> None:
    """Nobody joins meanwhile: later ones are of joins that were refused."""
    one = nodes[0]
    await one.does(join(ROOM), join("other"))
    for number in range(1, 4):
        await one.says(number, user_id="bob")
    one.ledger = SharedLedger(one.machine, FailingLog(one.log))
    for seq in (1, 2, 3):
        await one.does(leave((ROOM, seq), ("other", 0)))
    assert one.ledger.kept == (leave((ROOM, 1)), leave(("other", 0)))


async def test_who_leaves_while_the_log_is_away_has_left_once_it_is_back(
    nodes: list[Node], address: LogAddress
) -> None:
    one = nodes[0]
    await one.does(join(ROOM), join(ROOM, user_id="bob"))
    away = FailingLog(one.log)
    one.ledger = SharedLedger(one.machine, away)
    effects = await one.does(send(1), leave((ROOM, 0)), join("other"))
    assert [type(effect) for effect in effects] == [NotStored, Settled]
    assert isinstance(effects[0], NotStored)
    assert effects[0].code == Code.STORAGE_ERROR
    assert len(effects[0].commands) == 2
    for _ in range(3):  # it connects again and again
        await one.does(RemoveMember("bob", (ROOM,)))
        await one.does(ClearOverflow("bob", ROOM, (1, 2)))
        await one.does(TrimQueues(object(), "bob", {}))
    assert [type(kept) for kept in one.ledger.kept] == [
        *(LeaveRooms, RemoveMember, ClearOverflow, TrimQueues)
    ]
    away.is_away = False
    [effect] = await one.does(send(2))
    assert isinstance(effect, Accepted)
    assert members(address) == {(ROOM, "ann"): ([], 1, 0)}
    assert one.ledger.kept == ()


@pytest.mark.parametrize("is_kept", [True, False])
async def test_who_leaves_before_the_actor_begins_anew_is_owed_what_came_since(
    nodes: list[Node], *, is_kept: bool
) -> None:
    """The batch with the second message is found in the log, though its sender was refused."""
    one, two, _ = nodes
    await one.does(join(ROOM), join(ROOM, user_id="bob"))
    await one.says(1, user_id="bob")
    await two.says(2, user_id="bob")
    left = leave((ROOM, 1))
    if is_kept:
        one.ledger = SharedLedger(one.machine, FailingLog(one.log))
        await one.does(left)
        one.ledger._log = one.log
    await one.begin((ROOM, "bob"), leaving=() if is_kept else (left,))
    if not is_kept:
        await one.does(left)
    assert one.machine.owed_count(ROOM, "ann") == 1
    assert one.ledger.kept == ()


async def test_a_leave_that_comes_when_the_log_is_closed_is_kept(nodes: list[Node]) -> None:
    one = nodes[0]
    await one.does(join(ROOM))
    one.ledger = SharedLedger(one.machine, FailingLog(one.log, StoreClosed("it is closed")))
    left = leave((ROOM, 0))
    [effect] = await one.does(left, send(1))
    assert isinstance(effect, NotStored)
    assert effect.code == Code.DRAINING
    assert one.ledger.kept == (left,)


async def test_who_is_there_is_told_once_the_log_is_back(
    nodes: list[Node], address: LogAddress
) -> None:
    one = nodes[0]
    away = FailingLog(one.log)
    one.ledger = SharedLedger(one.machine, away)
    await one.ledger.begin([(ROOM, "ann")], NOW_MS)
    assert members(address) == {}
    away.is_away = False
    await one.does(send(1, user_id="bob"))
    assert members(address) == {(ROOM, "ann"): ([one.opened.node_id], None, 0)}


async def test_who_left_before_the_log_heard_who_is_there_is_not_put_back(
    nodes: list[Node], address: LogAddress
) -> None:
    one = nodes[0]
    await one.does(join(ROOM))
    await one.says(1, user_id="bob")
    away = FailingLog(one.log)
    one.ledger = SharedLedger(one.machine, away)
    await one.ledger.begin([(ROOM, "ann")], NOW_MS)
    await one.does(leave((ROOM, 1)))
    away.is_away = False
    await one.says(2, user_id="bob")
    assert members(address) == {(ROOM, "ann"): ([], 1, 0)}
    assert one.machine.owed_count(ROOM, "ann") == 1


@pytest.mark.parametrize("seed", [1, 2])
async def test_whatever_nodes_do_at_once_members_and_messages_stay_right(
    nodes: list[Node], address: LogAddress, seed: int
) -> None:
    """Each node does something at random; what it was told counts."""
    chance = random.Random(seed)
    plans = [[chance.random() for _ in range(60)] for _ in nodes]
    numbers = iter(range(1, 10_000))
    told: list[Message] = []
    there: dict[Node, set[tuple[str, str]]] = {node: set() for node in nodes}
    refused: list[Effect] = []

    async def live(node: Node, plan: Sequence[float]) -> None:
        for luck in plan:
            user, room = "abc"[int(luck * 300) % 3], ("demo", "sales")[int(luck * 1000) % 2]
            is_there = (room, user) in there[node]
            if luck < 0.4:
                batch: list[Command] = [
                    send(next(numbers), connection_id=room, user_id=user) for _ in range(3)
                ]
            elif luck < 0.7:
                seen = node.machine.last_seq(room)
                batch = [
                    leave((room, seen), user_id=user) if is_there else join(room, user_id=user)
                ]
                there[node] ^= {(room, user)}
            elif luck < 0.8 and told:
                one = told[-1]
                batch = [acknowledge(one, one, up_to=True, user_id=user)]
            elif luck < 0.9 and told:
                batch = [PutReaction(None, user, told[0], 0, "👍", bool(int(luck * 77) % 2))]
            else:
                batch = [MarkRead(None, user, room, node.machine.last_seq(room))]
            for effect in await node.does(*batch):
                if isinstance(effect, Accepted):
                    told.append(effect.message)
                elif isinstance(effect, NotStored | ChangeRefused):
                    refused.append(effect)

    async with trio.open_nursery() as nursery:
        for node, plan in zip(nodes, plans, strict=True):
            nursery.start_soon(live, node, plan)
    assert refused == []
    for room in ("demo", "sales"):
        seqs = sorted(one.seq for one in told if one.connection_id == room)
        assert seqs == list(range(1, len(seqs) + 1))
    stored = rows_of(
        address,
        "SELECT r.connection_id, m.seq, encode(m.message_id, 'hex') FROM messages m JOIN rooms r"
        " USING (room_id)",
    )
    assert {(room, seq, id_) for room, seq, id_ in stored} == {
        (one.connection_id, one.seq, one.message_id.replace("-", "")) for one in told
    }
    for key, (stays, away_seq, _) in members(address).items():
        assert stays == sorted(node.opened.node_id for node in nodes if key in there[node])
        assert (away_seq is None) == bool(stays)


def test_records_are_what_a_log_of_one_node_gets_too() -> None:
    """A machine without a number knows no shares."""
    machine = MessageMachine({}, {})
    decision = machine.decide([join(ROOM), send(1)], NOW_MS)
    assert [one.share.stays for one in decision.records if hasattr(one, "share")] == [frozenset()]
    assert isinstance(decision.records[-1], MessageStored)
