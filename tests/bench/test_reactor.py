"""Connections that are not to be had: each client is told, and none of it at once."""

import errno
import os
import socket
import time

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


class Writer:
    """A client that is told when it is there."""

    def __init__(self) -> None:
        self.is_there = trio.Event()

    def connected(self, _lane: Lane) -> None:
        self.is_there.set()

    def lost(self, _lane: Lane, why: str) -> None:
        raise AssertionError(why)


async def test_what_a_server_does_not_read_costs_the_generator_little() -> None:
    # Where each write copied all that waits, these would copy 200 GB, and a server that stalls
    # would look like a generator that is slow.
    piece, count = b"0123456789abcdef" * 512, 7000
    with socket.create_server(("127.0.0.1", 0)) as server:
        route = Route(socket.AF_INET, server.getsockname())
        reactor, writer = Reactor(route, Clock().monotonic_us), Writer()
        wires = ClientWires(reactor)
        wires.client = writer  # type: ignore[assignment]
        with trio.fail_after(60):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(reactor.run)
                wires.dial(Lane.MAIN)
                await writer.is_there.wait()
                began_s = time.process_time()
                for _ in range(count):
                    wires.write(Lane.MAIN, piece)
                assert time.process_time() - began_s < 2.0
                accepted, _ = server.accept()
                with trio.socket.from_stdlib_socket(accepted) as sock:
                    came = bytearray()
                    while len(came) < len(piece) * count:
                        came += await sock.recv(1 << 20)
                nursery.cancel_scope.cancel()
        assert came == piece * count
