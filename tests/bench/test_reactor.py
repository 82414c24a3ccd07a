"""Connections that are not to be had: each client is told, and none of it at once."""

import errno
import os
import socket

import pytest
import trio

from chatd.bench.client import Lane
from chatd.bench.reactor import NO_DESCRIPTOR, ClientWires, Reactor, Route
from chatd.observe.clock import Clock

CLIENTS = 3000
"""More than Python has calls within each other."""


class Dialler:
    """A client that only comes; when it could not, the next one does."""

    def __init__(self, reactor: Reactor, done: trio.Event) -> None:
        self.whys: list[str] = []
        self._reactor = reactor
        self._done = done

    def start(self) -> None:
        wires = ClientWires(self._reactor)
        wires.client = self  # type: ignore[assignment]
        wires.dial(Lane.MAIN)

    def lost(self, lane: Lane, why: str) -> None:
        assert lane is Lane.MAIN
        self.whys.append(why)
        if len(self.whys) < CLIENTS:
            self.start()
        else:
            self._done.set()


async def whys(place: tuple[str | int, ...]) -> set[str]:
    """What thousands are told that dial this place, one after the other."""
    done = trio.Event()
    reactor = Reactor(Route(socket.AF_INET, place), Clock().monotonic_us)
    dialler = Dialler(reactor, done)
    with trio.fail_after(60):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(reactor.run)
            dialler.start()
            await done.wait()
            nursery.cancel_scope.cancel()
    assert len(dialler.whys) == CLIENTS
    return set(dialler.whys)


async def test_a_machine_without_descriptors_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> socket.socket:
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr("chatd.bench.reactor._new_socket", refuse)
    assert await whys(("127.0.0.1", 9)) == {NO_DESCRIPTOR}


async def test_an_address_that_cannot_be_dialled_says_why() -> None:
    with socket.socket() as sock:
        sock.setblocking(False)
        code = sock.connect_ex(("255.255.255.255", 9))
    assert code != errno.EINPROGRESS
    assert await whys(("255.255.255.255", 9)) == {os.strerror(code)}
