"""The last bytes of a connection: as long as the peer takes them, it has time to."""

import socket

import trio
import trio.testing
from trio.testing import MockClock

from chatd.net.disconnects import DisconnectReason
from chatd.net.writer import SocketWriter
from tests.engine.polls import until

LINGER_S = 1.0
LAST_WORDS = bytes(1_000_000)


class Owner:
    """Notes why its writer failed."""

    def __init__(self) -> None:
        self.failed: list[DisconnectReason] = []

    def on_writer_failed(self, reason: DisconnectReason) -> None:
        self.failed.append(reason)

    def on_writer_changed(self) -> None:
        pass


def pair() -> tuple[socket.socket, socket.socket]:
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    theirs.setblocking(False)
    return ours, theirs


async def test_a_slow_peer_gets_all_of_the_last_response(mock_clock: MockClock) -> None:
    ours, theirs = pair()
    owner = Owner()
    writer = SocketWriter(len(LAST_WORDS), ours, owner, linger_s=LINGER_S)
    with ours, theirs:
        async with trio.open_nursery() as nursery:
            writer.start(nursery)
            writer.finish(LAST_WORDS)
            seen = 0
            while writer._unsent is not None:
                owed = len(writer._unsent)
                while writer._unsent is not None and len(writer._unsent) == owed:
                    await trio.lowlevel.wait_readable(theirs)
                    seen += len(theirs.recv(50_000))
                    await trio.testing.wait_all_tasks_blocked()
                mock_clock.jump(LINGER_S * 0.9)
                await trio.testing.wait_all_tasks_blocked()
            while piece := theirs.recv(1_000_000):
                seen += len(piece)
            nursery.cancel_scope.cancel()
    assert seen == len(LAST_WORDS)
    assert owner.failed == []


async def test_a_peer_that_takes_nothing_of_the_last_response_is_cut(
    mock_clock: MockClock,
) -> None:
    ours, theirs = pair()
    owner = Owner()
    writer = SocketWriter(len(LAST_WORDS), ours, owner, linger_s=LINGER_S)
    with ours, theirs:
        async with trio.open_nursery() as nursery:
            writer.start(nursery)
            writer.finish(LAST_WORDS)
            await trio.testing.wait_all_tasks_blocked()
            mock_clock.jump(LINGER_S)
            await until(lambda: owner.failed)
            nursery.cancel_scope.cancel()
    assert owner.failed == [DisconnectReason.TRANSPORT_ERROR]
