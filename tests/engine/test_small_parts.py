"""Deadlines, flusher, adapter, outgoing, readiness: the small parts that all sessions share."""

import math
import socket

import pytest
import trio
import trio.testing
from wsproto import ConnectionType
from wsproto.connection import Connection
from wsproto.events import BytesMessage, TextMessage

from chatd.engine.flusher import BROADCASTS_S, OWED_NOTHING, REPLIES_S, SLICE, Flusher
from chatd.engine.outgoing import Outgoing
from chatd.net.deadlines import VOID_MIN, Deadlines, TimerEntry
from chatd.net.poller import EpollPoller, Poller, TrioPoller
from chatd.sockets.local_adapter import LocalAdapter

HARD_LIMIT_S = 40


class Owner:
    """Somebody with deadlines; `again` says when the next ones are."""

    def __init__(self, *again: float) -> None:
        self.deadline_entry: TimerEntry | None = None
        self.called: list[float] = []
        self._again = list(again)

    def on_deadline(self, now_s: float) -> float:
        self.called.append(now_s)
        return self._again.pop(0) if self._again else math.inf


async def test_deadlines_come_in_their_order_and_again_when_asked(
    autojump_clock: trio.testing.MockClock, nursery: trio.Nursery
) -> None:
    deadlines, now = Deadlines(), trio.current_time()
    nursery.start_soon(deadlines.run)
    late, early = Owner(), Owner(now + 7, now + 8)
    deadlines.schedule(late, now + 5)
    deadlines.schedule(early, now + 3)
    await trio.sleep(10)
    assert late.called == [pytest.approx(now + 5)]
    assert early.called == [pytest.approx(now + at) for at in (3, 7, 8)]


async def test_a_nearer_deadline_wakes_the_task_that_sleeps_for_a_later_one(
    autojump_clock: trio.testing.MockClock, nursery: trio.Nursery
) -> None:
    deadlines, now = Deadlines(), trio.current_time()
    nursery.start_soon(deadlines.run)
    far, near = Owner(), Owner()
    deadlines.schedule(far, now + 1000)
    await trio.testing.wait_all_tasks_blocked()
    deadlines.schedule(near, now + 1)
    await trio.sleep(2)
    assert near.called == [pytest.approx(now + 1)]
    assert far.called == []


async def test_a_deadline_that_was_moved_or_taken_back_is_not_called(
    autojump_clock: trio.testing.MockClock, nursery: trio.Nursery
) -> None:
    deadlines, now = Deadlines(), trio.current_time()
    nursery.start_soon(deadlines.run)
    moved, gone = Owner(), Owner()
    for owner in (moved, gone):
        deadlines.schedule(owner, now + 1)
    deadlines.schedule(moved, now + 2)
    deadlines.schedule(gone, math.inf)
    assert gone.deadline_entry is None
    await trio.sleep(5)
    assert moved.called == [pytest.approx(now + 2)]
    assert gone.called == []


async def test_a_suspended_deadline_is_called_when_it_was_scheduled_again(
    autojump_clock: trio.testing.MockClock, nursery: trio.Nursery
) -> None:
    deadlines, now = Deadlines(), trio.current_time()
    nursery.start_soon(deadlines.run)
    soon, late, never = Owner(), Owner(), Owner()
    for owner in (soon, late, never):
        deadlines.schedule(owner, now + 1)
        deadlines.suspend(owner)
    deadlines.schedule(soon, now + 2)
    await trio.sleep(5)
    deadlines.schedule(late, now + 7)
    await trio.sleep(5)
    assert soon.called == [pytest.approx(now + 2)]
    assert late.called == [pytest.approx(now + 7)]
    assert never.called == []


async def test_suspended_deadlines_that_were_swept_out_can_be_scheduled_again(
    autojump_clock: trio.testing.MockClock, nursery: trio.Nursery
) -> None:
    deadlines, now = Deadlines(), trio.current_time()
    nursery.start_soon(deadlines.run)
    owners = [Owner() for _ in range(2 * VOID_MIN)]
    for owner in owners:
        deadlines.schedule(owner, now + 1)
    for owner in owners:
        deadlines.suspend(owner)
    for owner in owners:
        deadlines.schedule(owner, now + 2)
    await trio.sleep(5)
    assert [len(owner.called) for owner in owners] == [1] * len(owners)


PACKET = Outgoing(b"4x")


class Flushed:
    def __init__(self, log: list["Flushed"]) -> None:
        self.pending: list[Outgoing] = []
        self.owed = OWED_NOTHING
        self.log = log

    def flush(self) -> None:
        self.pending.clear()
        self.log.append(self)

    def fail(self, error: Exception) -> None:
        raise error


async def begin_to_write(flusher: Flusher, room: list[Flushed], nursery: trio.Nursery) -> None:
    """Owe a packet to a large room, and return once some of it has that."""
    flusher.broadcast(room, PACKET)
    nursery.start_soon(flusher.run)
    while not room[0].log:
        await trio.lowlevel.checkpoint()


async def test_the_flusher_flushes_at_the_end_of_the_turn(nursery: trio.Nursery) -> None:
    flusher = Flusher()
    log: list[Flushed] = []
    nursery.start_soon(flusher.run)
    for _ in range(2):
        log.clear()
        sessions = [Flushed(log) for _ in range(3)]
        for session in sessions:
            flusher.touch(session)
            assert session.owed
        assert log == []
        await trio.testing.wait_all_tasks_blocked()
        assert log == sessions
        assert not any(session.owed for session in sessions)


async def test_a_large_flush_lets_others_have_their_turn(
    mock_clock: trio.testing.MockClock, nursery: trio.Nursery
) -> None:
    flusher = Flusher()
    log: list[Flushed] = []
    for _ in range(3 * SLICE):
        flusher.touch(Flushed(log))
    nursery.start_soon(flusher.run)
    turns = set()
    while len(log) < 3 * SLICE:
        await trio.lowlevel.checkpoint()
        turns.add(len(log))
    assert turns & {SLICE, 2 * SLICE}


@pytest.mark.parametrize("slice_s", [REPLIES_S, BROADCASTS_S])
@pytest.mark.parametrize(("part", "slices_of"), [(2, 1), (1 / 3, 4), (1 / 20, 32)])
async def test_others_have_their_turn_while_much_is_written_to_few(
    mock_clock: trio.testing.MockClock,
    nursery: trio.Nursery,
    slice_s: float,
    part: float,
    slices_of: int,
) -> None:
    class FlushedSlowly(Flushed):
        def flush(self) -> None:
            mock_clock.jump(part * slice_s)
            super().flush()

    flusher = Flusher()
    log: list[Flushed] = []
    sessions = [FlushedSlowly(log) for _ in range(5 * slices_of)]
    if slice_s == BROADCASTS_S:
        flusher.broadcast(sessions, PACKET)
    else:
        for session in sessions:
            flusher.touch(session)
    nursery.start_soon(flusher.run)
    turns = set()
    while len(log) < 5 * slices_of:
        await trio.lowlevel.checkpoint()
        turns.add(len(log))
    assert turns <= {0, *range(slices_of, 6 * slices_of, slices_of)}
    assert len(turns) > 2


async def test_a_reply_does_not_wait_for_the_rest_of_a_room(
    mock_clock: trio.testing.MockClock, nursery: trio.Nursery
) -> None:
    flusher = Flusher()
    log: list[Flushed] = []
    room = [Flushed(log) for _ in range(3 * SLICE)]
    sender, stranger = room[-1], Flushed(log)
    await begin_to_write(flusher, room, nursery)
    before = len(log)
    assert before < len(room)
    for session in (sender, stranger):  # one that waits for the broadcast, and one that does not
        session.pending.append(PACKET)
        flusher.touch(session)
    await trio.testing.wait_all_tasks_blocked()
    assert log[before : before + 2] == [sender, stranger]
    assert log[-1] is sender  # its place among the others stays, with nothing to write
    assert len(log) == len(room) + 2


async def test_broadcasts_that_come_during_a_flush_share_its_writes(
    mock_clock: trio.testing.MockClock, nursery: trio.Nursery
) -> None:
    flusher = Flusher()
    log: list[Flushed] = []
    room = [Flushed(log) for _ in range(4 * SLICE)]
    await begin_to_write(flusher, room, nursery)
    written, waiting = room[: len(log)], room[len(log) :]
    flusher.broadcast(room, PACKET)
    assert [len(session.pending) for session in written] == [1] * len(written)
    assert [len(session.pending) for session in waiting] == [2] * len(waiting)
    await trio.testing.wait_all_tasks_blocked()
    assert log == room + written


async def test_replies_without_end_do_not_hold_a_broadcast_up(
    mock_clock: trio.testing.MockClock, nursery: trio.Nursery
) -> None:
    flusher = Flusher()
    log: list[Flushed] = []

    class Insatiable(Flushed):
        def flush(self) -> None:
            super().flush()
            if any(session.pending for session in room):
                flusher.touch(self)

    insatiable = Insatiable(log)
    flusher.touch(insatiable)
    room = [Flushed(log) for _ in range(2 * SLICE)]
    flusher.broadcast(room, PACKET)
    nursery.start_soon(flusher.run)
    await trio.testing.wait_all_tasks_blocked()
    replies = [at for at, session in enumerate(log) if session is insatiable]
    assert replies == [0, SLICE + 1, 2 * SLICE + 2]  # a slice of the room after each


async def test_what_is_noted_is_handed_on_once_all_is_flushed_that_was_owed_then(
    mock_clock: trio.testing.MockClock, nursery: trio.Nursery
) -> None:
    handed: list[tuple[list[float], int]] = []
    log: list[Flushed] = []
    flusher = Flusher(lambda noted: handed.append((list(noted), len(log))))
    flusher.note(1.0)  # nothing is owed to anybody
    for _ in range(SLICE + 1):
        flusher.touch(Flushed(log))
    flusher.note(2.0)
    flusher.note(3.0)
    nursery.start_soon(flusher.run)
    await trio.testing.wait_all_tasks_blocked()
    assert handed == [([2.0, 3.0], SLICE + 1)]
    flusher.touch(Flushed(log))
    await trio.testing.wait_all_tasks_blocked()
    assert len(handed) == 1


async def test_what_is_noted_during_a_flush_waits_for_its_end(
    mock_clock: trio.testing.MockClock, nursery: trio.Nursery
) -> None:
    handed: list[tuple[list[float], int]] = []
    log: list[Flushed] = []
    flusher = Flusher(lambda noted: handed.append((list(noted), len(log))))
    room = [Flushed(log) for _ in range(4 * SLICE)]
    await begin_to_write(flusher, room, nursery)
    flusher.broadcast(room[-1:], PACKET)  # which the flush that goes on will write
    flusher.note(1.0)
    await trio.testing.wait_all_tasks_blocked()
    assert handed == [([1.0], len(room))]


class Member:
    """A socket, as far as the adapter knows it."""

    def __init__(self, namespace: str = "/") -> None:
        self.namespace = namespace
        self.rooms: tuple[str, ...] = ()
        self.session = self
        self.pending: list[Outgoing] = []
        self.owed = OWED_NOTHING

    def send(self, outgoing: Outgoing) -> None:
        self.pending.append(outgoing)


def test_a_broadcast_is_owed_to_all_of_the_room_but_one() -> None:
    flusher = Flusher()
    adapter = LocalAdapter(flusher)
    one, two, other_room, other_space = Member(), Member(), Member(), Member("/custom")
    adapter.join(one, "r")  # type: ignore[arg-type]
    adapter.join(one, "r")  # type: ignore[arg-type]
    adapter.join(two, "r")  # type: ignore[arg-type]
    adapter.join(other_room, "s")  # type: ignore[arg-type]
    adapter.join(other_space, "r")  # type: ignore[arg-type]
    adapter.broadcast("/", "r", PACKET)
    adapter.broadcast_volatile("/", "r", PACKET, but=one)
    adapter.broadcast("/", "nobody is here", PACKET)
    assert one.pending == [PACKET]
    assert two.pending == [PACKET, PACKET]
    assert other_room.pending == other_space.pending == []
    assert flusher._broadcasts == [one, two]


def test_rooms_exist_while_somebody_is_in_them() -> None:
    adapter = LocalAdapter(Flusher())
    one = Member()
    for room in ("a", "b", "c"):
        adapter.join(one, room)  # type: ignore[arg-type]
    adapter.leave(one, "b")  # type: ignore[arg-type]
    adapter.leave(one, "never joined")  # type: ignore[arg-type]
    assert one.rooms == ("a", "c")
    adapter.leave_all(one)  # type: ignore[arg-type]
    assert one.rooms == ()
    assert adapter._rooms == {}


def test_a_packet_and_its_attachments_are_one_run_of_frames() -> None:
    packet = Outgoing(b"4packet", (b"one", bytes(70_000)))
    codec = Connection(ConnectionType.CLIENT)
    codec.receive_data(packet.frame)
    events = list(codec.events())
    assert events[0] == TextMessage(data="4packet")
    received = b"".join(bytes(e.data) for e in events[1:] if isinstance(e, BytesMessage))
    assert received == b"one" + bytes(70_000)
    assert packet.frame is packet.frame
    assert packet.size == 7 + 3 + 70_000


def test_a_binary_message_alone_is_a_binary_frame() -> None:
    codec = Connection(ConnectionType.CLIENT)
    codec.receive_data(Outgoing(b"", (b"\1\2",)).frame)
    assert [bytes(event.data) for event in codec.events()] == [b"\1\2"]  # type: ignore[union-attr]


@pytest.mark.parametrize("make", [EpollPoller, TrioPoller])
async def test_readable_returns_on_bytes_on_the_end_and_again(
    make: type[EpollPoller] | type[TrioPoller],
) -> None:
    readiness: Poller = make()
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    with trio.fail_after(HARD_LIMIT_S), ours:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(readiness.run)
            wait = readiness.watch(ours)
            with theirs:
                for byte in (b"a", b"b"):
                    theirs.send(byte)
                    await wait.readable()
                    assert ours.recv(10) == byte
                with trio.move_on_after(0.01) as nothing_there:
                    await wait.readable()
                assert nothing_there.cancelled_caught
                theirs.send(b"c")
                await wait.readable()
                assert ours.recv(10) == b"c"
            await wait.readable()
            assert ours.recv(10) == b""
            wait.close()
            nursery.cancel_scope.cancel()


async def test_bytes_that_come_while_nobody_waits_are_remembered_and_reported_once() -> None:
    readiness = EpollPoller()
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    with trio.fail_after(HARD_LIMIT_S), ours, theirs:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(readiness.run)
            wait = readiness.watch(ours)
            theirs.send(b"a")
            await wait.readable()
            theirs.send(b"b")
            await trio.testing.wait_all_tasks_blocked()
            assert readiness.epoll.poll(0) == [], "the processor is not kept busy with it"
            await wait.readable()
            assert ours.recv(10) == b"ab"
            with trio.move_on_after(0.01) as nothing_there:
                await wait.readable()
            assert nothing_there.cancelled_caught
            wait.close()
            assert readiness.watches == {}
            nursery.cancel_scope.cancel()


async def test_who_leaves_bytes_behind_says_so_and_is_let_read_again() -> None:
    readiness = EpollPoller()
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    with trio.fail_after(HARD_LIMIT_S), ours:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(readiness.run)
            wait = readiness.watch(ours)
            with theirs:
                theirs.send(b"abc")
            for expected in (b"a", b"b", b"c", b""):
                await wait.readable()
                assert ours.recv(1) == expected
                wait.again()
            wait.close()
            nursery.cancel_scope.cancel()


async def test_an_end_that_came_with_the_last_bytes_is_not_forgotten() -> None:
    readiness = EpollPoller()
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    with trio.fail_after(HARD_LIMIT_S), ours:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(readiness.run)
            wait = readiness.watch(ours)
            theirs.send(b"last")
            theirs.close()
            await wait.readable()
            assert ours.recv(10) == b"last"
            await wait.readable()
            assert ours.recv(10) == b""
            wait.close()
            nursery.cancel_scope.cancel()


def test_void_deadlines_are_let_go_long_before_their_time() -> None:
    """One that comes sooner than the last leaves that behind, which may be due in hours."""
    deadlines, owner = Deadlines(), Owner()
    for sooner_s in range(100_000):
        deadlines.schedule(owner, 1e9 - sooner_s)
    assert len(deadlines._heap) < 5_000
    assert owner.deadline_entry in deadlines._heap


def test_a_deadline_that_moves_back_adds_no_entry() -> None:
    """Each request moves that of its connection."""
    deadlines, owner = Deadlines(), Owner()
    for due_s in range(1_000):
        deadlines.schedule(owner, 1e9 + due_s)
        deadlines.suspend(owner)
    assert len(deadlines._heap) == 1


async def test_what_comes_for_a_copy_of_a_closed_socket_is_nobodys(nursery: trio.Nursery) -> None:
    """A process that is being started holds copies of all descriptors until it is another program:
    what came for one ended the task that all connections wait by."""
    readiness = EpollPoller()
    nursery.start_soon(readiness.run)
    gone, its_peer = socket.socketpair()
    there, other_peer = socket.socketpair()
    with its_peer, there, other_peer, trio.fail_after(HARD_LIMIT_S):
        gone.setblocking(False)
        wait = readiness.watch(gone)
        its_peer.send(b"x")
        await wait.readable()  # the epoll knows it
        with gone.dup():
            wait.close()
            gone.close()
            its_peer.send(b"y")
            await trio.testing.wait_all_tasks_blocked()
            there.setblocking(False)
            other = readiness.watch(there)
            other_peer.send(b"z")
            await other.readable()
            assert there.recv(1) == b"z"
    nursery.cancel_scope.cancel()
