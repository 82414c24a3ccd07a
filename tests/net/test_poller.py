"""Reads that the poller does on behalf of a task, alike over the epoll and over Trio's own wait."""

import socket
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager

import attrs
import pytest
import trio
import trio.testing

from chatd.net.poller import EpollPoller, Poller, TrioPoller, Watch

HARD_LIMIT_S = 10


@attrs.define(eq=False)
class Reader:
    """Reads `size` bytes at most each time; `ends_on` makes its task go on, `fails_on` raises."""

    sock: socket.socket
    watch: Watch
    size: int = 100
    ends_on: bytes = b"!"
    fails_on: bytes = b"?"
    pieces: list[bytes] = attrs.field(factory=list)
    tasks: set[str] = attrs.field(factory=set)
    heard: trio.Event = attrs.field(factory=trio.Event)

    def read(self) -> bool:
        self.tasks.add(trio.lowlevel.current_task().name)
        try:
            data = self.sock.recv(self.size)
        except BlockingIOError:
            return False
        self.pieces.append(data)
        if len(data) == self.size:
            self.watch.again()
        self.heard.set()
        self.heard = trio.Event()
        if self.fails_on in data:
            raise ValueError("it was asked to fail")
        return not data or self.ends_on in data


async def send_each(reader: Reader, theirs: socket.socket, pieces: Sequence[bytes]) -> None:
    """Send each piece once the one before it was read."""
    for data in pieces:
        await trio.testing.wait_all_tasks_blocked()
        heard = reader.heard
        theirs.send(data)
        await heard.wait()


@pytest.fixture(params=[EpollPoller, TrioPoller])
def poller(request: pytest.FixtureRequest) -> Poller:
    made: Poller = request.param()
    return made


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    with ours, theirs:
        yield ours, theirs


@asynccontextmanager
async def served(poller: Poller) -> AsyncIterator[trio.Nursery]:
    with trio.fail_after(HARD_LIMIT_S):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(poller.run, name="poller")
            yield nursery
            nursery.cancel_scope.cancel()


async def test_reads_go_on_until_the_reader_says_that_its_task_has_to(
    poller: Poller, pair: tuple[socket.socket, socket.socket]
) -> None:
    ours, theirs = pair
    reader = Reader(ours, poller.watch(ours))
    async with served(poller) as nursery:
        nursery.start_soon(send_each, reader, theirs, (b"a", b"b", b"!"))
        await reader.watch.reads(reader)
    assert reader.pieces == [b"a", b"b", b"!"]
    if isinstance(poller, EpollPoller):
        assert reader.tasks == {"poller"}, "the task itself was not woken for a read"


async def test_what_a_read_raises_is_raised_in_the_task_and_the_poller_lives_on(
    poller: Poller, pair: tuple[socket.socket, socket.socket]
) -> None:
    ours, theirs = pair
    reader = Reader(ours, poller.watch(ours))
    async with served(poller):
        theirs.send(b"?")
        with pytest.raises(ValueError, match="asked to fail"):
            await reader.watch.reads(reader)
        theirs.send(b"!")
        await reader.watch.reads(reader)
    assert reader.pieces == [b"?", b"!"]


async def test_a_read_that_filled_its_buffer_is_followed_by_another(
    poller: Poller, pair: tuple[socket.socket, socket.socket]
) -> None:
    ours, theirs = pair
    reader = Reader(ours, poller.watch(ours), size=2)
    async with served(poller):
        theirs.send(b"abcdefg!")
        while not any(b"!" in data for data in reader.pieces):
            await reader.watch.reads(reader)
    assert b"".join(reader.pieces) == b"abcdefg!"


async def test_bytes_and_an_end_that_came_while_nobody_waited_are_read_at_once(
    poller: Poller, pair: tuple[socket.socket, socket.socket]
) -> None:
    ours, theirs = pair
    reader = Reader(ours, poller.watch(ours))
    async with served(poller):
        theirs.send(b"!")
        await reader.watch.reads(reader)
        theirs.send(b"late")
        theirs.shutdown(socket.SHUT_WR)
        await trio.testing.wait_all_tasks_blocked()
        while reader.pieces[-1:] != [b""]:
            await reader.watch.reads(reader)
    assert reader.pieces == [b"!", b"late", b""]


async def test_who_reads_what_was_there_already_does_not_wait_for_more(
    pair: tuple[socket.socket, socket.socket],
) -> None:
    """It would wait in a coroutine more, and keep that for as long as its connection is idle."""
    ours, theirs = pair
    poller = EpollPoller()
    reader = Reader(ours, poller.watch(ours))
    async with served(poller):
        theirs.send(b"!")
        await reader.watch.reads(reader)
        theirs.send(b"late")
        await trio.testing.wait_all_tasks_blocked()
        await reader.watch.reads(reader)
    assert reader.pieces == [b"!", b"late"]


async def test_an_end_that_came_with_the_last_bytes_is_read_too(
    poller: Poller, pair: tuple[socket.socket, socket.socket]
) -> None:
    ours, theirs = pair
    reader = Reader(ours, poller.watch(ours))
    async with served(poller) as nursery:

        async def end() -> None:
            await trio.testing.wait_all_tasks_blocked()
            theirs.send(b"last")
            theirs.close()

        nursery.start_soon(end)
        while reader.pieces[-1:] != [b""]:
            await reader.watch.reads(reader)
    assert reader.pieces == [b"last", b""]


async def test_a_wake_ends_the_wait_without_a_read(
    poller: Poller, pair: tuple[socket.socket, socket.socket]
) -> None:
    ours, _ = pair
    reader = Reader(ours, poller.watch(ours))
    async with served(poller) as nursery:
        done = trio.Event()

        async def wait() -> None:
            await reader.watch.reads(reader)
            done.set()

        nursery.start_soon(wait)
        await trio.testing.wait_all_tasks_blocked()
        reader.watch.wake()
        await done.wait()
    assert reader.pieces == []


async def test_a_cancelled_wait_reads_nothing_more(
    poller: Poller, pair: tuple[socket.socket, socket.socket]
) -> None:
    ours, theirs = pair
    reader = Reader(ours, poller.watch(ours))
    async with served(poller):
        with trio.CancelScope() as scope:
            scope.cancel()
            await reader.watch.reads(reader)
        assert scope.cancelled_caught
        theirs.send(b"kept!")
        await trio.testing.wait_all_tasks_blocked()
        assert reader.pieces == []
        await reader.watch.reads(reader)
    assert reader.pieces == [b"kept!"]


@attrs.define(eq=False)
class Canceller(Reader):
    """Cancels the task that it reads for."""

    scope: trio.CancelScope = attrs.field(factory=trio.CancelScope)

    def read(self) -> bool:
        self.scope.cancel()
        return super().read()


@pytest.mark.parametrize("said", [b"a", b"!"], ids=["reads on", "goes on"])
async def test_a_read_may_cancel_the_task_that_it_is_made_for(
    poller: Poller, pair: tuple[socket.socket, socket.socket], said: bytes
) -> None:
    ours, theirs = pair
    reader = Canceller(ours, poller.watch(ours))
    async with served(poller) as nursery:
        nursery.start_soon(send_each, reader, theirs, (said,))
        with reader.scope:
            while True:
                await reader.watch.reads(reader)
        assert reader.scope.cancelled_caught
        assert reader.pieces == [said]


async def test_what_a_read_raises_is_heard_of_although_it_cancelled_its_task(
    poller: Poller, pair: tuple[socket.socket, socket.socket]
) -> None:
    ours, theirs = pair
    reader = Canceller(ours, poller.watch(ours))
    async with served(poller) as nursery:
        nursery.start_soon(send_each, reader, theirs, (b"?",))
        with pytest.raises(ValueError, match="asked to fail"), reader.scope:
            await reader.watch.reads(reader)
