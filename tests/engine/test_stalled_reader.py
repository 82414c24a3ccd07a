"""One reader that stalls beside two hundred others in its room: they feel nothing.

The stalled one is at the other end of a real socket; the others take everything, in memory, and
note in which turn of the scheduler they were written to.
"""

import math
import socket
from collections import defaultdict
from pathlib import Path
from typing import Any

import orjson
import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from chatd.engine import flusher
from chatd.engine.websocket import WebSocketTransport
from chatd.net.backlog import LAGGING_SHARE
from chatd.observe import SessionClosed
from tests.service.chats import ROOM, Chat, MemoryPeer, MemoryTransport, message, open_chat, token

OTHERS = 200
BACKLOG_BYTES = 200_000
KERNEL_BYTES = 65_536  # for each direction of the stalled connection
LONG = "x" * 9_000
MESSAGES_MAX = 200  # by far more than it takes to fill the bound and what the kernel holds
WHERE = {"connectionId": ROOM}
FREE: dict[str, object] = dict.fromkeys(
    (
        "user_messages_per_minute",
        "socket_messages_per_minute",
        "room_messages_per_minute",
        "user_typing_per_minute",
        "socket_events_per_minute",
        "handshakes_per_second",
        "sessions_per_address",
    ),
    1e9,
)


class FairQueue(trio.abc.Instrument):
    """Counts the turns of the scheduler."""

    def __init__(self) -> None:
        self.count = 0

    def before_io_wait(self, timeout: float) -> None:
        self.count += 1


class NotingTransport(MemoryTransport):
    """Notes when it was written to."""

    turns: FairQueue
    flushed_in: list[int]

    def flush(self) -> None:
        if self._session.pending:
            self.flushed_in.append(self.turns.count)
        super().flush()


async def enter_all(chat: Chat, turns: FairQueue) -> list[MemoryPeer]:
    others = []
    for number in range(OTHERS):
        peer = await chat.attach_and_enter(token(f"other-{number}"))
        transport = NotingTransport(peer.session)
        transport.turns, transport.flushed_in = turns, []
        peer.session.transport = peer.transport = transport
        others.append(peer)
    return others


def names(peer: MemoryPeer) -> dict[str, int]:
    """How often each event came since the last call."""
    counts: dict[str, int] = defaultdict(int)
    for name, _ in peer.take_events():
        counts[name] += 1
    return dict(counts)


async def test_one_stalled_reader_is_dropped_and_two_hundred_others_feel_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # How long a turn may take is another matter: on a busy machine it would end among the others.
    monkeypatch.setattr(flusher, "REPLIES_S", math.inf)
    monkeypatch.setattr(flusher, "BROADCASTS_S", math.inf)
    turns = FairQueue()
    trio.lowlevel.add_instrument(turns)
    server: dict[str, object] = {"backlog_bytes": BACKLOG_BYTES}
    async with open_chat(tmp_path, in_memory=True, limits=FREE, server=server) as chat:
        stalled = await chat.enter("stalled")
        [client] = chat.parts.publishing.clients.of("stalled")
        transport: Any = client.socket.session.transport
        assert isinstance(transport, WebSocketTransport)
        # Sizes that are set stay as they are; else the kernel takes more from time to time.
        transport._sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, KERNEL_BYTES)
        stalled.peer.stream.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, KERNEL_BYTES)
        others = await enter_all(chat, turns)
        ada = await chat.attach_and_enter(token("ada"))
        await wait_all_tasks_blocked()
        for peer in others:
            peer.take()
        sent, backlogs, lagging_at = 0, [], 0
        while not client.socket.session.is_over:
            assert sent < MESSAGES_MAX, "the bound does not hold"
            sent += 1
            for peer in others:
                peer.transport.flushed_in.clear()  # type: ignore[attr-defined]
            await ada.emit("chat:message", message(LONG))
            written_in = {tuple(peer.transport.flushed_in) for peer in others}  # type: ignore[attr-defined]
            assert len(written_in) == 1, "all others are written to in one turn"
            assert len(written_in.pop()) == 1, "once"
            for turn in ("start", "stop"):
                await ada.emit(f"chat:typing:{turn}", WHERE)
            for peer in others:
                assert peer.session.pending == []
                told = names(peer)
                told.pop("presence:update", None)  # the stalled one goes offline in the end
                assert told == {"chat:message": 1, "chat:typing": 2}
            backlog = bytes(transport._writer._unsent or b"")
            backlogs.append(len(backlog))
            if b'"lagging"' in backlog:
                lagging_at = lagging_at or len(backlog)
                assert b"chat:typing" not in backlog[backlog.rindex(b'"lagging"') :]
        assert max(backlogs) <= BACKLOG_BYTES
        assert BACKLOG_BYTES // LAGGING_SHARE < lagging_at < BACKLOG_BYTES // 2
        assert [it.reason for it in chat.recorder.of(SessionClosed)] == ["slow consumer"]
        assert transport._writer._unsent is None
        assert client.socket.session.pending == []
        assert client.missed is None
        await stalled.peer.stream.aclose()
    trio.lowlevel.remove_instrument(turns)


async def test_what_the_stalled_one_was_not_given_is_there_when_it_comes_back(
    tmp_path: Path,
) -> None:
    server: dict[str, object] = {"backlog_bytes": BACKLOG_BYTES}
    async with open_chat(tmp_path, limits=FREE, server=server) as chat:
        await chat.enter("stalled")
        [client] = chat.parts.publishing.clients.of("stalled")
        ada = await chat.enter("ada")
        sent = 0
        while not client.socket.session.is_over:
            assert sent < MESSAGES_MAX, "the bound does not hold"
            sent += 1
            assert (await ada.say(message(LONG)))["seq"] == sent
        auth = {"token": token("stalled"), "since": {ROOM: 1}, "epoch": chat.store.epoch}
        again = await chat.open()
        await again.send("40" + orjson.dumps(auth).decode())
        seqs: list[int] = []
        while seqs[-1:] != [sent]:
            text = str(await again.message())
            if text.startswith('42["chat:history"'):
                seqs += [it["seq"] for it in orjson.loads(text[2:])[1]["messages"]]
        assert seqs == list(range(2, sent + 1))
