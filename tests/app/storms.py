"""Peers that come in thousands and leave without a word: plain sockets, in a thread of their own.

Each kind of peer is what it sends, piece by piece, and how it goes away; it waits for an answer
between two pieces. They come in batches, from many addresses of this machine.
"""

import itertools
import re
import selectors
import socket
import struct
import threading
from collections.abc import Iterator, Sequence
from typing import Final

import attrs

from tests.net.peers import TEXT, frame, upgrade_request

BATCH: Final = 100
"""Peers at once: as many descriptors, and a burst that a listener's queue takes."""
ADDRESSES: Final = 64
PATIENCE_S: Final = 30.0
POLLING: Final = b"/socket.io/?EIO=4&transport=polling"
RESET: Final = struct.pack("ii", 1, 0)

_SID: Final = re.compile(rb'"sid":"([^"]+)"')


def get(target: bytes, *headers: bytes) -> bytes:
    return b"\r\n".join([b"GET %b HTTP/1.1" % target, b"Host: localhost", *headers, b"", b""])


def post(target: bytes, body: bytes, length: int | None = None) -> bytes:
    size = len(body) if length is None else length
    head = b"POST %b HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n" % (target, size)
    return head + body


@attrs.frozen
class Kind:
    """A peer: what it sends, the next piece after each answer (`{sid}` is its session's), and
    whether it resets its connection then, or closes it."""

    name: str
    pieces: Sequence[bytes]
    resets: bool


def kinds(tokens: Sequence[str]) -> Iterator[Kind]:
    """All that a storm is made of, again and again; `tokens` let some of them in."""
    good = itertools.cycle(frame(TEXT, b'40{"token":"%b"}' % one.encode()) for one in tokens)
    websocket, half = upgrade_request(), upgrade_request()[:60]
    session = POLLING + b"&sid={sid}"
    probe = upgrade_request("EIO=4&transport=websocket&sid={sid}") + frame(TEXT, b"2probe")
    bad = frame(TEXT, b'40{"token":"bad"}')
    while True:
        for resets in (True, False):
            yield Kind("says nothing", [], resets)
            yield Kind("half a head", [half], resets)
            yield Kind("opens a session", [get(POLLING)], resets)
            yield Kind("polls, and does not wait", [get(POLLING), get(session)], resets)
            yield Kind("half a body", [get(POLLING), post(session, b"40", 900_000)], resets)
            yield Kind("in an upgrade", [get(POLLING), probe], resets)
            yield Kind("half an upgrade", [get(POLLING), probe[:80]], resets)
            yield Kind("opens a websocket", [websocket], resets)
            yield Kind("a bad token", [websocket, bad], resets)
            yield Kind("a user", [websocket, next(good)], resets)
            yield Kind("the page, unread", [get(b"/") * 3], resets)
            yield Kind("no such thing", [post(b"/elsewhere", b"x" * 100, 10_000)], resets)


@attrs.define(eq=False)
class _Peer:
    sock: socket.socket
    kind: Kind
    sent: int = 0
    sid: bytes = b""

    def go_on(self) -> bool:
        """Send the next piece; whether its answer is waited for."""
        if self.sent == len(self.kind.pieces):
            return False
        piece = self.kind.pieces[self.sent].replace(b"{sid}", self.sid)
        self.sent += 1
        self.sock.send(piece)
        return self.sent < len(self.kind.pieces)

    def hear(self) -> bool:
        """Take an answer, and go on; whether another one is waited for."""
        answer = self.sock.recv(65_536)
        found = _SID.search(answer)
        if found is not None:
            self.sid = found[1]
        elif not answer or b" 503 " in answer:
            return False
        return self.go_on()

    def leave(self) -> None:
        if self.kind.resets:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        self.sock.close()


def storm(port: int, count: int, tokens: Sequence[str]) -> int:
    """So many peers come to this port and go; how many got to the end of what they had to say."""
    coming, finished = kinds(tokens), 0
    sources = itertools.cycle(f"127.0.1.{number}" for number in range(1, ADDRESSES + 1))
    for first in range(0, count, BATCH):
        with selectors.DefaultSelector() as selector:
            peers = []
            for _ in range(min(BATCH, count - first)):
                sock = socket.create_connection(("127.0.0.1", port), PATIENCE_S, (next(sources), 0))
                peer = _Peer(sock, next(coming))
                peers.append(peer)
                if peer.go_on():
                    selector.register(sock, selectors.EVENT_READ, peer)
            while selector.get_map():
                ready = selector.select(PATIENCE_S)
                assert ready, [key.data.kind.name for key in selector.get_map().values()]
                for key, _ in ready:
                    if not key.data.hear():
                        selector.unregister(key.fileobj)
            finished += sum(peer.sent == len(peer.kind.pieces) for peer in peers)
            for peer in peers:
                peer.leave()
    return finished


def flood(port: int, source: str, is_over: threading.Event) -> int:
    """Sessions of nobody from one address, as fast as they are opened, until it is over; how many
    were asked for."""
    asked = 0
    burst = get(POLLING) * 20
    while not is_over.is_set():
        with socket.create_connection(("127.0.0.1", port), PATIENCE_S, (source, 0)) as sock:
            sock.settimeout(PATIENCE_S)
            while not is_over.is_set():
                try:
                    sock.sendall(burst)
                    seen = 0
                    while seen < 20:
                        answers = sock.recv(1_000_000)
                        if not answers:
                            raise ConnectionResetError
                        seen += answers.count(b"HTTP/1.1 ")
                except OSError:  # it had to give way, or was told to come back later
                    break
                asked += seen
    return asked


@attrs.define(eq=False)
class _Colleague:
    """Somebody who comes in by polling, and tries again where there is no room."""

    sock: socket.socket
    token: bytes
    has_posted: bool = False
    sid: bytes = b""

    def begin(self) -> None:
        self.sid, self.has_posted = b"", False
        self.sock.send(get(POLLING))

    def hear(self) -> bool:
        """Take an answer, and go on; whether they are in."""
        answer = self.sock.recv(65_536)
        assert answer, "hung up"
        if b" 503 " in answer or b'"code":1,' in answer:
            raise ConnectionRefusedError
        session = POLLING + b"&sid="
        if not self.sid:
            found = _SID.search(answer)
            assert found is not None, answer
            self.sid = found[1]
            self.sock.send(post(session + self.sid, b'40{"token":"%b"}' % self.token))
        elif not self.has_posted:
            self.has_posted = True
            self.sock.send(get(session + self.sid))
        else:
            assert b"40{" in answer, answer
            return True
        return False


def office(port: int, source: str, tokens: Sequence[str]) -> list[socket.socket]:
    """All of these users come at once from one address; their connections, once everybody is in.
    Few may be told to come back later."""
    refusals = 0
    with selectors.DefaultSelector() as selector:

        def come(token: bytes) -> None:
            sock = socket.create_connection(("127.0.0.1", port), PATIENCE_S, (source, 0))
            colleague = _Colleague(sock, token)
            selector.register(sock, selectors.EVENT_READ, colleague)
            colleague.begin()

        connections = []
        for token in tokens:
            come(token.encode())
        while selector.get_map():
            ready = selector.select(PATIENCE_S)
            assert ready, f"{len(selector.get_map())} wait outside"
            for key, _ in ready:
                colleague = key.data
                try:
                    is_in = colleague.hear()
                except ConnectionRefusedError:
                    refusals += 1
                    assert refusals < len(tokens), f"{len(connections)} are in, and others never"
                    selector.unregister(key.fileobj)
                    colleague.sock.close()
                    come(colleague.token)
                    continue
                if is_in:
                    selector.unregister(key.fileobj)
                    connections.append(colleague.sock)
    return connections
