"""The chat as `chatd.app` puts it together, over a real store, on a real listener.

For scripts in which time passes, `Chat.attach` gives a peer in memory, whose transport is a list.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import attrs
import orjson
import trio
import trio.testing

from chatd.actors.group_commit import WINDOW_S
from chatd.actors.log_service import LogService
from chatd.app.build import Parts
from chatd.app.tree import supervise
from chatd.auth import mint
from chatd.chat.records import Record
from chatd.config import Config
from chatd.config.databases import DATABASES
from chatd.config.sections import (
    AnswersConfig,
    ApiConfig,
    AuditConfig,
    AuthConfig,
    BusConfig,
    ClusterConfig,
    DirectoryConfig,
    LimitsConfig,
    MessagesConfig,
    ServerConfig,
    StateConfig,
)
from chatd.engine.admission import Vacancy
from chatd.engine.session import Handshake, Session
from chatd.engineio.handshake import parse_query
from chatd.net.disconnects import DisconnectReason
from chatd.observe import InternalError
from chatd.observe.clock import Clock
from chatd.observe.recorder import Recorder
from chatd.postgres_store.sessions import LogAddress
from chatd.postgres_store.store import open_postgres_store
from chatd.store import (
    CommitFailed,
    CommitOutcome,
    Committed,
    RecordRefused,
    Store,
    open_store,
)
from tests.engine.listeners import listen, open_websocket, opening
from tests.net.peers import HARD_LIMIT_S, Ended, Peer
from tests.service.packets import judged_packets
from tests.wire.golden import fault_of_ack

SECRET = "a secret for the tests, of more than 32 bytes"
ROOM = "sales"
NO_ROOM = ["a room that is not there"]  # what a handshake names that joins nothing


class LogInHand(LogService):
    """The log of a test: it can fail, and it can hold commits back."""

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self.failure: CommitFailed | RecordRefused | None = None
        self.held = trio.Event()
        self.held.set()

    async def commit(self, records: Sequence[Record]) -> CommitOutcome:
        await self.held.wait()
        failure = self.failure
        if isinstance(failure, RecordRefused):  # the disk is well: another try may fit
            self.failure = None
        if failure is not None:
            self.is_failing = isinstance(failure, CommitFailed)
            raise failure
        return await super().commit(records)


class MemoryLog(LogInHand):
    """A log that takes everything at once; for scripts with a clock of their own."""

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        task_status.started()
        await trio.sleep_forever()

    async def commit(self, records: Sequence[Record]) -> CommitOutcome:
        await self.held.wait()
        return Committed(0)

    async def remove(self, surplus: object) -> int:
        await trio.lowlevel.checkpoint()
        return 0

    async def index_until(self, until_s: float) -> None:
        await trio.lowlevel.checkpoint()


class MemoryTransport:
    """A transport whose peer takes everything, unless the test sets `taking` to a fresh event."""

    name = "memory"

    def __init__(self, session: Session) -> None:
        self._session = session
        self.sent: list[str] = []
        self.allowed = 0
        self.backlog: Any = self
        self.closed = trio.Event()
        self.taking = trio.Event()
        self.taking.set()

    @property
    def owed_bytes(self) -> int:
        return 0 if self.taking.is_set() else 1

    @property
    def is_lagging(self) -> bool:
        return not self.taking.is_set()

    def flush(self) -> None:
        pending = self._session.pending
        self.sent += [outgoing.text.decode() for outgoing in pending]
        pending.clear()

    def close(self, *, polite: bool) -> None:
        if polite:
            self.flush()
        self.closed.set()

    def identified(self) -> None:
        pass

    def peer_closed(self) -> None:
        self.closed.set()

    def allow(self, size: int) -> None:
        self.allowed += size

    async def drained(self) -> None:
        await self.taking.wait()


class MemoryPeer:
    """A peer at the other end of a `MemoryTransport`."""

    def __init__(self, session: Session, transport: MemoryTransport) -> None:
        self.session = session
        self.transport = transport

    async def say(self, text: str) -> None:
        """Send one packet, and wait until all that can happen has happened."""
        work = self.session.receive(text)
        if work is not None:
            await work
        await trio.testing.wait_all_tasks_blocked()

    async def emit(self, name: str, payload: object) -> None:
        await self.say("42" + orjson.dumps([name, payload]).decode())

    def take(self) -> list[str]:
        """The packets since the last call."""
        self.session.flush()
        sent, self.transport.sent = self.transport.sent, []
        return sent

    def take_events(self) -> list[tuple[str, Any]]:
        """The events since the last call, pings aside."""
        events = [orjson.loads(text[2:]) for text in self.take() if text.startswith("42")]
        return [(name, payload) for name, payload in events]


@attrs.define
class ChatPeer:
    """A WebSocket of the chat: events and acks instead of frames."""

    peer: Peer
    next_ack_id: int = 0
    asked: dict[int, str] = attrs.field(factory=dict)  # the events that wait for an ack, by its id
    # What most tests are not about, unless it is what is waited for.
    passes_over: frozenset[str] = frozenset({"presence:update", "presence:snapshot", "chat:hint"})

    async def packet(self, wanted: str | int | None = None) -> Any:
        """The next packet: `(name, payload)` of an event, `(ack id, payload)` of an ack."""
        while True:
            text = await self.peer.message()
            assert isinstance(text, str)
            if text == "2":
                await self.peer.send("3")
            elif text.startswith("42"):
                name, payload = orjson.loads(text[2:])
                if name == wanted or name not in self.passes_over:
                    return name, payload
            elif text.startswith("43"):
                start = text.index("[")
                ack_id, (payload,) = int(text[2:start]), orjson.loads(text[start:])
                fault = fault_of_ack(self.asked.pop(ack_id, None), payload)
                assert fault is None, fault
                return ack_id, payload
            else:
                return text, None

    async def expect(self, name: str | int) -> Any:
        """The payload of the next packet, which is this event, or the ack of this id."""
        found, payload = await self.packet(name)
        assert found == name, (found, payload)
        return payload

    async def until(self, name: str | int) -> Any:
        """The payload of the next packet of this name; others are passed over."""
        while True:
            found, payload = await self.packet(name)
            if found == name:
                return payload

    async def emit(self, name: str, payload: object) -> None:
        await self.peer.send("42" + orjson.dumps([name, payload]).decode())

    async def call(self, name: str, payload: object) -> Any:
        """Send an event with an ack; what the ack says. Events before it are passed over."""
        ack_id = await self.ask(name, payload)
        return await self.until(ack_id)

    async def ask(self, name: str, payload: object) -> int:
        """Send an event with an ack; the ack's id."""
        ack_id, self.next_ack_id = self.next_ack_id, self.next_ack_id + 1
        self.asked[ack_id] = name
        await self.peer.send(f"42{ack_id}" + orjson.dumps([name, payload]).decode())
        return ack_id

    async def say(self, payload: object) -> Any:
        """Send a message, and read all that the sender is told; what the ack says."""
        ack = await self.call("chat:message", payload)
        if ack["ok"]:
            await self.until("chat:message")
        return ack

    async def quiet(self) -> None:
        """Nothing was owed but the answer to this."""
        ack_id = await self.ask("connection:leave", {"connectionId": "a room that is not there"})
        await self.expect(ack_id)

    async def ended(self) -> int:
        """The code of the close frame, after whatever else comes."""
        while True:
            try:
                await self.peer.message()
            except Ended as end:
                return end.code


def message(
    content: str = "How many orders came in today?",
    *,
    room: str = ROOM,
    message_id: str | None = None,
    **fields: object,
) -> dict[str, object]:
    return {
        "messageId": message_id or str(uuid4()),
        "content": content,
        "connectionId": room,
        **fields,
    }


def token(
    user_id: str = "ada",
    rooms: Sequence[str] = (ROOM,),
    *,
    name: str | None = None,
    ttl_s: int = 3600,
    secret: str = SECRET,
    now_s: float | None = None,
) -> str:
    return mint(
        secret,
        user_id=user_id,
        rooms=rooms,
        name=name,
        ttl_s=ttl_s,
        now_s=Clock().wall_s() if now_s is None else now_s,
        audience="authenticated",
        issuer="",
        claim="connections",
    )


@attrs.define
class Chat:
    """A running chat, and its parts."""

    parts: Parts
    store: Store
    log: LogInHand
    recorder: Recorder
    address: tuple[str, int]
    streams: list[trio.SocketStream] = attrs.field(factory=list)
    attached: list[Session] = attrs.field(factory=list)
    faults_expected: bool = False

    async def open(self, **request: Any) -> Peer:
        """A WebSocket that has not said who it is."""
        stream = await trio.open_tcp_stream(*self.address)
        self.streams.append(stream)
        peer = await open_websocket(stream, **request)
        await opening(peer)
        return peer

    async def connect(self, auth: dict[str, object] | None, **request: Any) -> ChatPeer:
        """A WebSocket that has sent CONNECT; nothing of the answer is read."""
        peer = await self.open(**request)
        await peer.send("40" if auth is None else "40" + orjson.dumps(auth).decode())
        return ChatPeer(peer)

    async def enter(
        self,
        user_id: str = "ada",
        rooms: Sequence[str] = (ROOM,),
        *,
        name: str | None = None,
        now_s: float | None = None,
        **auth: object,
    ) -> ChatPeer:
        """A user who is in; all that is sent to it up to the history of its rooms is read. The
        token was issued at `now_s`, or now."""
        shown = token(user_id, rooms, name=name, now_s=now_s)
        peer = await self.connect({"token": shown, **auth})
        await connected(peer)
        await peer.expect("connection:status")
        for _ in rooms:
            await peer.expect("chat:history")
        return peer

    def attach(self) -> MemoryPeer:
        """A peer in memory."""
        sid = str(uuid4())
        admitted = self.parts.engine_io.admission.open_session(
            "192.0.2.1", sid, trio.current_time()
        )
        assert admitted == Vacancy()
        session = Session(self.parts.engine_io.sessions, sid, "192.0.2.1")
        transport = MemoryTransport(session)
        session.transport = transport
        handshake = Handshake("192.0.2.1", parse_query(b""), None)
        session.upper = self.parts.http.listener._engine._make_upper(session, handshake)
        self.attached.append(session)
        return MemoryPeer(session, transport)

    async def attach_and_enter(self, user_token: str) -> MemoryPeer:
        """A peer in memory that is in; what it was told is there to take."""
        peer = self.attach()
        await peer.say("40" + orjson.dumps({"token": user_token}).decode())
        return peer


async def in_no_room(peer: ChatPeer) -> None:
    """What a peer that named `NO_ROOM` is told before anything else."""
    await connected(peer)
    await peer.expect("connection:status")
    assert (await peer.expect("chat:error"))["code"] == "forbidden_room"


async def connected(peer: ChatPeer) -> str:
    """The reply to CONNECT."""
    reply, _ = await peer.packet()
    assert isinstance(reply, str)
    assert reply.startswith("40{"), reply
    return reply


async def refused(peer: ChatPeer) -> dict[str, Any]:
    """The reply to a CONNECT that was not let in."""
    reply, _ = await peer.packet()
    assert isinstance(reply, str)
    assert reply.startswith("44"), reply
    return orjson.loads(reply[2:])  # type: ignore[no-any-return]


def config(
    *,
    server: dict[str, object] | None = None,
    auth: dict[str, object] | None = None,
    messages: dict[str, object] | None = None,
    limits: dict[str, object] | None = None,
    answers: dict[str, object] | None = None,
    audit: dict[str, object] | None = None,
    databases: dict[str, object] | None = None,
    directory: dict[str, object] | None = None,
    api: dict[str, object] | None = None,
    state: dict[str, object] | None = None,
    cluster: dict[str, object] | None = None,
    bus: dict[str, object] | None = None,
) -> Config:
    """Nobody answers unless `answers` or `databases` are given: that starts processes."""
    return Config(
        server=ServerConfig(**(server or {})),  # type: ignore[arg-type]
        auth=AuthConfig(jwt_secret=SECRET, **(auth or {})),  # type: ignore[arg-type]
        messages=MessagesConfig(**(messages or {})),  # type: ignore[arg-type]
        limits=LimitsConfig(**(limits or {})),  # type: ignore[arg-type]
        answers=AnswersConfig(**({"enabled": databases is not None} | (answers or {}))),  # type: ignore[arg-type]
        audit=AuditConfig(**(audit or {})),  # type: ignore[arg-type]
        databases=DATABASES.structure(databases or {}),
        directory=DirectoryConfig(**(directory or {})),  # type: ignore[arg-type]
        api=ApiConfig(**(api or {})),  # type: ignore[arg-type]
        state=StateConfig(**(state or {})),  # type: ignore[arg-type]
        cluster=ClusterConfig(**(cluster or {})),  # type: ignore[arg-type]
        bus=BusConfig(**(bus or {})),  # type: ignore[arg-type]
    )


def _opened(directory: Path, postgres: LogAddress | None, *, in_memory: bool) -> tuple[Any, Any]:
    """A store, and the side of its log that writes."""
    if postgres is not None:
        kept = open_postgres_store(directory, postgres)
        return kept, kept.start_log()
    store = open_store(directory, "write")
    return store, MemoryLog(store) if in_memory else LogInHand(store)


@asynccontextmanager
async def open_chat(
    directory: Path,
    /,
    *,
    in_memory: bool = False,
    limit_s: float = HARD_LIMIT_S,
    postgres: LogAddress | None = None,
    **sections: dict[str, object],
) -> AsyncIterator[Chat]:
    """The chat, for `limit_s` at most; on the way out every promise about what is left is
    checked. Its log is in PostgreSQL where `postgres` says where."""
    store, log = _opened(directory / "state", postgres, in_memory=in_memory)
    recorder = Recorder()
    parts = Parts(config(**sections), SECRET, store, log, recorder)
    limit_s = 1e9 if in_memory else limit_s
    with (
        judged_packets(),
        listen() as listener,
        trio.fail_after(limit_s),
    ):
        # In memory commits come at once, whatever the clock of the test says.
        tree = supervise(parts, recorder, window_s=0.0 if in_memory else WINDOW_S)
        async with trio.open_nursery() as nursery:
            await nursery.start(tree.run)
            await nursery.start(parts.http.listener.serve, [listener])
            chat = Chat(parts, store, log, recorder, listener.getsockname())
            try:
                yield chat
            finally:
                for stream in chat.streams:
                    await trio.aclose_forcefully(stream)
            for session in chat.attached:
                session.lost(DisconnectReason.TRANSPORT_CLOSE)
            await parts.engine_io.admission.emptied()
            nursery.cancel_scope.cancel()
    assert await log.close(HARD_LIMIT_S)
    store.close()
    nothing_left(chat)
    if not chat.faults_expected:
        assert recorder.of(InternalError) == [], recorder.of(InternalError)[0].traceback


def nothing_left(chat: Chat) -> None:
    """Once the peers are gone, nothing of them is."""
    parts = chat.parts
    assert parts.engine_io.sessions.by_sid == {}
    assert parts.publishing.clients.count == 0
    assert parts.publishing.clients._by_user == {}
    assert parts.engine_io.admission._by_address == {}
    assert len(parts.entering.occupancy) == 0
    assert parts.chat.effects._adapter._rooms == {}  # type: ignore[attr-defined]
    assert all(feed.holders == 0 for feed in parts.publishing.timelines._timelines.values())
