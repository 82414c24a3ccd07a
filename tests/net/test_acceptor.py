"""The end of accepting."""

import socket
from contextlib import closing

import trio
import trio.testing

from chatd.net.acceptor import Acceptor
from chatd.observe import Recorder


class StopsFirst(trio.abc.Instrument):
    """Stops an acceptor when its task is about to run because a peer has come."""

    def __init__(self, acceptor: Acceptor) -> None:
        self._acceptor = acceptor
        self.is_armed = False

    def before_task_step(self, task: trio.lowlevel.Task) -> None:
        if self.is_armed and task.name.endswith("._accept"):
            self.is_armed = False
            self._acceptor.stop()


async def test_a_peer_that_comes_as_accepting_ends_is_left_to_who_else_has_the_listener() -> None:
    served: list[socket.socket] = []

    async def serve(sock: socket.socket, _peer: object) -> None:
        served.append(sock)
        acceptor.close(sock)

    acceptor = Acceptor(serve, Recorder())
    stops = StopsFirst(acceptor)
    trio.lowlevel.add_instrument(stops)
    listener = socket.create_server(("127.0.0.1", 0))
    with closing(listener), closing(listener.dup()) as other:
        with trio.fail_after(10):
            async with trio.open_nursery() as nursery:
                await nursery.start(acceptor.run, [listener])
                await trio.testing.wait_all_tasks_blocked()
                stops.is_armed = True
                peer = socket.create_connection(listener.getsockname())
        with closing(peer), closing(other.accept()[0]) as accepted:
            assert accepted.getpeername() == peer.getsockname()
    assert served == []
