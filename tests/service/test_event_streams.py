"""What a room gets, as server-sent events: `GET /api/rooms/{connectionId}/events`."""

import contextlib
from pathlib import Path
from typing import Any

import pytest
import trio

from chatd.auth import Grant, bot_digest, make_bot_token
from chatd.engine.event_stream import EventStreamTransport
from chatd.net.disconnects import DisconnectReason
from chatd.observe import LimitHit, SessionClosed, SocketConnected, SocketDisconnected
from chatd.observe.clock import Clock
from chatd.service.event_streams import StreamStart, stream_start
from chatd.service.timeline import Timelines
from chatd.store import LogReaders, StoreReadFailed
from chatd.wire.events import RoomRevoked
from tests.engine.polls import until
from tests.rows import rows
from tests.service.asking import ask
from tests.service.chats import ROOM, ChatPeer, message, open_chat, token
from tests.service.events.test_answers import called, open_answering
from tests.service.streams import Heard, Stream, listening, open_stream
from tests.service.test_retention import removed
from tests.service.test_supervision import crash
from tests.wire.golden import fault_of_event

FREE = {
    "user_messages_per_minute": 1e9,
    "socket_messages_per_minute": 1e9,
    "room_messages_per_minute": 1e9,
    "socket_events_per_minute": 1e9,
}


async def say(peer: ChatPeer, content: str, **fields: object) -> str:
    ack = await peer.say(message(content, **fields))
    assert ack["ok"], ack
    return str(ack["messageId"])


async def seqs(stream: Stream, count: int) -> list[int]:
    return [(await stream.expect("chat:message"))["seq"] for _ in range(count)]


@pytest.fixture
def small_buffers(monkeypatch: pytest.MonkeyPatch) -> None:
    """The system holds next to nothing of a stream for a peer that does not take it."""
    run = EventStreamTransport.run

    async def run_with_little(self: EventStreamTransport, head: bytes, work: Any) -> None:
        self._sock.setsockopt(trio.socket.SOL_SOCKET, trio.socket.SO_SNDBUF, 4096)
        await run(self, head, work)

    monkeypatch.setattr(EventStreamTransport, "run", run_with_little)


async def test_a_stream_has_what_the_sockets_of_the_room_get(tmp_path: Path) -> None:
    async with open_chat(tmp_path) as chat:
        ada, bob = await chat.enter("ada"), await chat.enter("bob")
        await say(ada, "before")
        stream = await open_stream(chat)
        assert stream.status == 200
        assert stream.headers["content-type"] == "text/event-stream"
        assert stream.headers["cache-control"] == "no-store"
        assert stream.headers["x-accel-buffering"] == "no"
        assert "content-length" not in stream.headers
        opened = await stream.event()
        epoch = chat.store.epoch
        assert opened == Heard(
            "stream:open",
            {
                "connectionId": ROOM,
                "epoch": epoch,
                "firstSeq": 1,
                "lastSeq": 1,
                "lastRev": 0,
                "resumed": False,
            },
            f"{epoch}:1",
        )
        assert stream.retry_ms == 3000
        await bob.expect("chat:message")
        for number in range(3):
            await say(ada, f"line {number}\nand é\u2028 < <b>\r\n\n")
            heard = await stream.event()
            assert heard.name == "chat:message"
            assert heard.payload == await bob.expect("chat:message")
            assert heard.last_id == f"{epoch}:{number + 2}"


async def test_who_is_revoked_while_a_stream_opens_gets_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loading, may_load = trio.Event(), trio.Event()
    load = Timelines.load

    async def load_late(self: Timelines, *args: Any) -> None:
        loading.set()
        await may_load.wait()
        await load(self, *args)

    async with open_chat(tmp_path) as chat:
        monkeypatch.setattr(Timelines, "load", load_late)
        async with trio.open_nursery() as nursery:

            async def revoke() -> None:
                await loading.wait()
                await chat.parts.access.revoking.revoke("ada")
                may_load.set()

            nursery.start_soon(revoke)
            stream = await open_stream(chat, token("ada"))
        assert stream.status == 401
        assert not chat.parts.publishing.clients.of("ada")


async def test_changes_have_no_id_of_their_own(tmp_path: Path) -> None:
    async with open_chat(tmp_path) as chat:
        ada, stream = await chat.enter("ada"), await listening(chat)
        message_id = await say(ada, "first")
        await stream.expect("chat:message")
        at = stream.last_id
        place = {"messageId": message_id, "connectionId": ROOM}
        await ada.call("chat:message:edit", {**place, "content": "second"})
        await ada.call("chat:message:react", {**place, "emoji": "+1", "on": True})
        await ada.call("chat:message:delete", place)
        for name in ("edited", "reaction", "deleted"):
            heard = await stream.event()
            assert heard.name == f"chat:message:{name}"
            assert fault_of_event(heard.name, heard.payload) is None
            assert heard.last_id == at


async def test_a_stream_shows_an_answer_grow_and_those_that_are_open(tmp_path: Path) -> None:
    async with open_answering(tmp_path) as (chat, database):
        ada, early = await chat.enter("ada"), await listening(chat)
        await say(ada, "SELECT 1")
        call = await called(database)
        call.rows(1)
        await early.until("chat:answer:rows")
        late = await listening(chat)
        assert (await late.until("chat:answer:rows"))["rows"] == [[1]]
        call.end()
        for stream in (early, late):
            assert (await stream.until("chat:answer:end"))["state"] == "done"
            assert (await stream.expect("chat:message"))["userId"] == f"db:{ROOM}"


async def test_hints_are_the_users_and_of_the_room(tmp_path: Path) -> None:
    async with open_answering(tmp_path) as (chat, _):
        both = token(rooms=[ROOM, "stock"])
        here, there = await listening(chat, both), await listening(chat, both, room="stock")
        others = await listening(chat, token("bob"))
        answer = await ask(
            chat.address,
            "POST",
            f"/api/rooms/{ROOM}/messages",
            {"authorization": f"Bearer {both}", "content-type": "application/json"},
            b'{"content":"/nothing"}',
        )
        assert answer.status == 201
        assert answer.json()["question"] is True
        hint = await here.until("chat:hint")
        assert hint["messageId"] == answer.json()["messageId"]
        ada = await chat.connect({"token": both})
        for room in (ROOM, "stock"):
            await ada.call("chat:message", message("hello", room=room))
        assert (await there.event()).payload["content"] == "hello"
        assert (await others.event()).payload["content"] == "/nothing"
        assert (await others.event()).payload["content"] == "hello"


async def test_a_client_goes_on_where_it_was_and_misses_nothing(tmp_path: Path) -> None:
    async with open_chat(tmp_path, limits=FREE, messages={"history_on_join": 3}) as chat:
        ada = await chat.enter("ada")
        stream = await listening(chat)
        for number in range(5):
            await say(ada, f"{number}")
        assert await seqs(stream, 2) == [1, 2]
        at = stream.last_id
        await stream.sock.aclose()
        for number in range(5, 20):
            await say(ada, f"{number}")
        again = await open_stream(chat, last_id=at)
        opened = await again.expect("stream:open")
        assert (opened["resumed"], opened["lastSeq"]) == (True, 20)
        assert again.last_id == at
        assert await seqs(again, 18) == list(range(3, 21))
        await say(ada, "live")
        assert await seqs(again, 1) == [21]


async def test_what_is_sent_while_a_client_catches_up_comes_once_and_in_order(
    tmp_path: Path,
) -> None:
    async with open_chat(
        tmp_path, limits=FREE, messages={"history_on_join": 2, "history_page": 5}
    ) as chat:
        ada = await chat.enter("ada")
        for number in range(30):
            await ada.call("chat:message", message(f"{number}"))
        heard: dict[int, list[int]] = {}

        async def listen(number: int) -> None:
            stream = await listening(chat, last_id=f"{chat.store.epoch}:{number}")
            heard[number] = await seqs(stream, 60 - number)

        async with trio.open_nursery() as nursery:
            for number in (0, 7, 28, 30):
                nursery.start_soon(listen, number)
            for number in range(30):
                await ada.call("chat:message", message(f"more {number}"))
        assert heard == {number: list(range(number + 1, 61)) for number in (0, 7, 28, 30)}


async def test_what_is_changed_while_a_client_catches_up_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = LogReaders.page
    may_read = trio.Event()

    async def held(self: LogReaders, *args: Any, **kwargs: Any) -> Any:
        page = await read(self, *args, **kwargs)
        await may_read.wait()
        return page

    async with open_chat(tmp_path, messages={"history_on_join": 1}) as chat:
        ada = await chat.enter("ada")
        ids = [await say(ada, f"{number}") for number in range(4)]
        monkeypatch.setattr(LogReaders, "page", held)
        stream = await listening(chat, last_id=f"{chat.store.epoch}:0")
        await until(lambda: chat.parts.publishing.clients.count == 2)
        place = {"messageId": ids[0], "connectionId": ROOM}
        await ada.call("chat:message:edit", {**place, "content": "changed"})
        may_read.set()
        assert await seqs(stream, 4) == [1, 2, 3, 4]
        assert (await stream.expect("chat:message:edited"))["content"] == "changed"


@rows(
    ("last_id", "place"),
    [
        (None, StreamStart(7, False, False)),
        ("", StreamStart(7, False, False)),
        ("e:0", StreamStart(0, True, False)),
        ("e:7", StreamStart(7, True, False)),
        ("e:8", StreamStart(7, False, True)),
        ("f:3", StreamStart(7, False, True)),
        ("e:-1", StreamStart(7, False, True)),
        ("e:03", StreamStart(7, False, True)),
        ("e:+3", StreamStart(7, False, True)),
        ("e: 3", StreamStart(7, False, True)),
        ("e:3 ", StreamStart(7, False, True)),
        ("e:3, e:4", StreamStart(7, False, True)),
        ("e:3\n", StreamStart(7, False, True)),
        ("e:٣", StreamStart(7, False, True)),
        ("e:1e3", StreamStart(7, False, True)),
        ("e:" + "9" * 5000, StreamStart(7, False, True)),
        ("e:3:4", StreamStart(7, False, True)),
        (":3", StreamStart(7, False, True)),
        ("3", StreamStart(7, False, True)),
        ("e", StreamStart(7, False, True)),
        ("\xff\xfe", StreamStart(7, False, True)),
        ("'; DROP TABLE messages", StreamStart(7, False, True)),
    ],
)
def test_a_last_id_is_a_place_in_this_log_or_the_client_starts_over(
    last_id: str | None, place: StreamStart
) -> None:
    assert stream_start(last_id, "e", 7) == place


async def test_a_client_of_another_log_is_told_to_start_over(tmp_path: Path) -> None:
    async with open_chat(tmp_path) as chat:
        ada = await chat.enter("ada")
        await say(ada, "old")
        for seq, last_id in enumerate(("another:1", f"{chat.store.epoch}:9", "\x80\xff"), 1):
            stream = await open_stream(chat, last_id=last_id)
            opened = await stream.expect("stream:open")
            assert (opened["resumed"], opened["reset"]) == (False, True)
            assert stream.last_id == f"{chat.store.epoch}:{seq}"
            await say(ada, "new")
            assert (await stream.expect("chat:message"))["content"] == "new"


async def test_a_client_is_told_what_it_cannot_get_any_more(tmp_path: Path) -> None:
    async with open_chat(
        tmp_path, limits=FREE, messages={"keep_per_room": 5, "history_on_join": 2}
    ) as chat:
        ada = await chat.enter("ada")
        for number in range(20):
            await say(ada, f"{number}")
        await removed(chat)
        stream = await listening(chat, last_id=f"{chat.store.epoch}:3")
        assert await stream.expect("stream:gap") == {
            "connectionId": ROOM,
            "fromSeq": 4,
            "toSeq": 15,
        }
        assert await seqs(stream, 5) == [16, 17, 18, 19, 20]


async def test_nobody_sees_who_listens_and_nothing_is_owed_to_it(tmp_path: Path) -> None:
    async with open_chat(tmp_path) as chat:
        watcher = await chat.enter("bob")
        await watcher.quiet()
        watcher.passes_over = frozenset()
        stream = await listening(chat, token("carol"))
        assert list(chat.parts.entering.occupancy.pairs()) == [(ROOM, "bob")]
        await say(watcher, "hello")
        await stream.expect("chat:message")
        assert chat.parts.messages.machine.members.rooms_of("carol") == ()
        await stream.sock.aclose()
        await until(lambda: chat.parts.publishing.clients.count == 1)
        await watcher.quiet()


async def test_who_listens_stays_unseen_when_presence_is_started_again(tmp_path: Path) -> None:
    async with open_chat(tmp_path) as chat:
        bob = await chat.enter("bob")
        await listening(chat, token("carol"))
        fault = crash(chat, chat.parts.rosters.presence, "run", 1, after=False)
        where = {"connectionId": ROOM, "status": "away"}
        while not (await bob.call("presence:update", where))["ok"]:
            assert fault.has_crashed
        assert chat.parts.rosters.presence.machine.status(ROOM, "bob") == "away"
        assert chat.parts.rosters.presence.machine.status(ROOM, "carol") is None


async def test_typing_and_presence_are_for_sockets(tmp_path: Path) -> None:
    async with open_chat(tmp_path) as chat:
        ada, stream = await chat.enter("ada"), await listening(chat, token("ada"))
        await ada.call("chat:typing:start", {"connectionId": ROOM})
        await ada.call("presence:update", {"connectionId": ROOM, "status": "away"})
        await chat.enter("bob")
        await ada.call("chat:read", {"connectionId": ROOM, "seq": 0})
        await say(ada, "hello")
        assert (await stream.event()).name == "chat:message"


async def test_a_heartbeat_is_a_comment(tmp_path: Path) -> None:
    server = {"ping_interval_s": 0.05, "ping_timeout_s": 20.0}
    async with open_chat(tmp_path, server=server) as chat:
        stream = await listening(chat)
        while stream.heartbeats < 4:
            assert (await stream.event()).name == ""
        assert chat.recorder.of(SessionClosed) == []


async def test_a_peer_that_takes_no_heartbeat_is_given_up(
    tmp_path: Path, small_buffers: None
) -> None:
    server = {"ping_interval_s": 0.3, "ping_timeout_s": 2.0, "backlog_bytes": 100_000_000}
    async with open_chat(tmp_path, limits=FREE, server=server) as chat:
        ada = await chat.enter("ada")
        await listening(chat, receive_bytes=4096)
        while not any(one.transport == "events" for one in chat.recorder.of(SessionClosed)):
            await ada.call("chat:message", message("x" * 10_000))
        [closed] = [one for one in chat.recorder.of(SessionClosed) if one.transport == "events"]
        assert closed.reason == DisconnectReason.PING_TIMEOUT


async def test_a_peer_that_takes_nothing_while_it_catches_up_is_given_up_too(
    tmp_path: Path, small_buffers: None
) -> None:
    server = {"ping_interval_s": 0.3, "ping_timeout_s": 0.3}
    async with open_chat(tmp_path, limits=FREE, messages={"history_on_join": 1}) as chat:
        ada = await chat.enter("ada")
        for _ in range(20):
            await ada.call("chat:message", message("\N{GRINNING FACE}" * 10_000))
    async with open_chat(tmp_path, limits=FREE, server=server) as chat:
        await listening(chat, last_id=f"{chat.store.epoch}:0", receive_bytes=4096)
        await until(lambda: chat.recorder.of(SessionClosed))
        [closed] = chat.recorder.of(SessionClosed)
        assert closed.reason == DisconnectReason.PING_TIMEOUT


async def test_a_slow_reader_is_cut_and_goes_on_where_it_was(
    tmp_path: Path, small_buffers: None
) -> None:
    server = {"backlog_bytes": 600_000}
    answers = {"max_bytes": 10_000}
    async with open_chat(tmp_path, limits=FREE, server=server, answers=answers) as chat:
        ada = await chat.enter("ada")
        stream = await listening(chat, receive_bytes=4096)
        said = 0
        while not any(one.transport == "events" for one in chat.recorder.of(SessionClosed)):
            await say(ada, "x" * 10_000)
            said += 1
            assert said < 5_000
        [closed] = [one for one in chat.recorder.of(SessionClosed) if one.transport == "events"]
        assert closed.reason == DisconnectReason.SLOW_CONSUMER
        heard = [one.payload["seq"] for one in await stream.rest()]
        assert heard == list(range(1, len(heard) + 1))
        assert len(heard) < said
        again = await listening(chat, last_id=stream.last_id)
        assert await seqs(again, said - len(heard)) == list(range(len(heard) + 1, said + 1))


async def test_a_drain_tells_when_to_come_back_and_ends_the_stream(tmp_path: Path) -> None:
    async with open_chat(tmp_path) as chat:
        stream = await listening(chat)
        chat.parts.engine_io.admission.is_draining = True
        chat.parts.http.listener.sever_strangers()
        chat.parts.chat.dispatcher.drain(1)
        for session in list(chat.parts.engine_io.sessions.by_sid.values()):
            session.end(DisconnectReason.SERVER_SHUTDOWN)
        heard = await stream.rest()
        assert [one.name for one in heard] == ["server:draining", "connection:status"]
        assert stream.retry_ms == heard[0].payload["reconnectAfterMs"]
        assert 100 <= stream.retry_ms <= 5_000


async def test_a_token_that_runs_out_ends_the_stream(tmp_path: Path) -> None:
    async with open_chat(tmp_path, auth={"leeway_s": 0.0}) as chat:
        short = token(now_s=Clock().wall_s() - 9, ttl_s=12)  # whole seconds: 2 at least
        stream = await listening(chat, short)
        heard = await stream.rest()
        assert [one.name for one in heard] == ["auth:expiring", "connection:status"]
        assert heard[-1].payload == {"status": "closing", "code": "token_expired"}
        again = await open_stream(chat, short)
        assert (again.status, (await again.error())["code"]) == (401, "token_expired")


async def test_a_room_that_is_taken_away_ends_the_stream(tmp_path: Path) -> None:
    async with open_chat(tmp_path) as chat:
        stream = await listening(chat)
        [client] = chat.parts.publishing.clients.of("ada")
        chat.parts.entering.rooms.leave(client, [ROOM])
        client.send(RoomRevoked(ROOM))
        [heard] = await stream.rest()
        assert heard.payload == {"connectionId": ROOM, "code": "forbidden_room"}


async def test_a_stream_says_nothing_of_other_rooms(tmp_path: Path) -> None:
    async with open_chat(tmp_path) as chat:
        stream = await listening(chat)
        [client] = chat.parts.publishing.clients.of("ada")
        grants = {**client.grants, "stock": Grant("stock", None)}
        chat.parts.entering.granting.give(client, grants)
        chat.parts.entering.granting.give(client, {})
        [heard] = await stream.rest()
        assert heard.payload == {"connectionId": ROOM, "code": "forbidden_room"}


async def test_the_stream_of_a_bot_does_not_run_out(tmp_path: Path) -> None:
    bearer = make_bot_token()
    tokens = {"reader": {"sha256": bot_digest(bearer), "rooms": [ROOM]}}
    async with open_chat(tmp_path, api={"tokens": tokens}) as chat:
        ada, stream = await chat.enter("ada"), await listening(chat, bearer)
        await say(ada, "hello")
        assert await seqs(stream, 1) == [1]
        [client] = chat.parts.publishing.clients.of("bot:reader")
        assert client.expires_s > 1e9


async def test_streams_count_as_sessions_of_their_address(tmp_path: Path) -> None:
    async with open_chat(tmp_path, limits={"sessions_per_address": 2}) as chat:
        await chat.enter("ada")
        await listening(chat)
        third = await open_stream(chat, token("bob"))
        assert (third.status, third.headers["retry-after"]) == (503, "5")
        assert (await third.error())["code"] == "overloaded"


async def test_a_stream_gives_way_to_no_connection_that_has_shown_no_token(tmp_path: Path) -> None:
    limits = {"connections_per_address": 3, "sessions_per_address": 3}
    async with open_chat(tmp_path, limits=limits) as chat:
        ada, stream = await chat.enter("ada"), await listening(chat)
        for _ in range(5):
            chat.streams.append(await trio.open_tcp_stream(*chat.address))
        await until(lambda: len(chat.recorder.of(LimitHit)) == 4)
        await say(ada, "hello")
        assert await seqs(stream, 1) == [1]


async def test_streams_count_as_sockets_of_their_user(tmp_path: Path) -> None:
    async with open_chat(tmp_path, limits={"sockets_per_user": 2}) as chat:
        await chat.enter("ada")
        await listening(chat)
        third = await open_stream(chat)
        assert third.status == 429
        assert (await third.error())["code"] == "rate_limited"
        assert "retry-after" in third.headers
        await listening(chat, token("bob"))


async def test_a_room_that_cannot_be_read_is_a_503(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def unreadable(*_: object, **__: object) -> None:
        raise StoreReadFailed("the disk")

    async with open_chat(tmp_path) as chat:
        ada = await chat.enter("ada")
        await say(ada, "hello")
    async with open_chat(tmp_path) as chat:
        with monkeypatch.context() as patch:
            patch.setattr(LogReaders, "page", unreadable)
            stream = await open_stream(chat)
            assert stream.status == 503
            assert (await stream.error())["code"] == "storage_read_error"
        await listening(chat)


async def test_a_log_that_fails_while_a_client_catches_up_ends_the_stream_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_chat(tmp_path, messages={"history_on_join": 1}) as chat:
        ada = await chat.enter("ada")
        for number in range(3):
            await say(ada, f"{number}")

        async def unreadable(*_: object, **__: object) -> None:
            raise StoreReadFailed("the disk")

        with monkeypatch.context() as patch:
            patch.setattr(LogReaders, "page", unreadable)
            stream = await listening(chat, last_id=f"{chat.store.epoch}:0")
            assert await stream.rest() == []
        again = await listening(chat, last_id=stream.last_id)
        assert await seqs(again, 3) == [1, 2, 3]


async def test_what_comes_behind_the_request_is_no_request_and_has_a_bound(tmp_path: Path) -> None:
    async with open_chat(tmp_path) as chat:
        smuggled = b"POST /api/rooms/sales/messages HTTP/1.1\r\nHost: localhost\r\n\r\n"
        stream = await listening(chat, behind=smuggled)
        await stream.sock.send_all(smuggled)
        ada = await chat.enter("ada")
        await say(ada, "hello")
        assert (await stream.event()).payload["content"] == "hello"
        with contextlib.suppress(trio.BrokenResourceError):  # the end may come before all is sent
            await stream.sock.send_all(b"x" * 100_000)
        assert await stream.rest() == []


async def test_the_log_of_the_daemon_tells_of_streams(tmp_path: Path) -> None:
    async with open_chat(tmp_path) as chat:
        stream = await listening(chat)
        [connected] = chat.recorder.of(SocketConnected)
        assert (connected.user_id, connected.rooms, connected.resumed) == ("ada", (ROOM,), False)
        await stream.sock.aclose()
        await until(lambda: chat.recorder.of(SocketDisconnected))
        [gone] = chat.recorder.of(SocketDisconnected)
        assert gone.socket_id == connected.socket_id


async def test_hundreds_of_streams_leave_nothing_behind(tmp_path: Path) -> None:
    limits = {**FREE, "sockets_per_user": 1e9}
    async with open_chat(tmp_path, limits=limits) as chat:
        ada = await chat.enter("ada")
        streams: list[Stream] = []

        async def listen() -> None:
            streams.append(await listening(chat))

        async with trio.open_nursery() as nursery:
            for _ in range(200):
                nursery.start_soon(listen)
        for number in range(3):
            await say(ada, f"{number}")
        for stream in streams:
            assert await seqs(stream, 3) == [1, 2, 3]
        for stream in streams[::2]:
            await stream.sock.aclose()
        await until(lambda: chat.parts.publishing.clients.count == 101)


async def test_requests_are_refused_before_a_stream_begins(tmp_path: Path) -> None:
    async with open_chat(tmp_path) as chat:
        for bearer, room, status, code in [
            ("x", ROOM, 401, "token_invalid"),
            (token(), "stock", 403, "forbidden_room"),
            (token(), "%2e%2e", 403, "forbidden_room"),
        ]:
            stream = await open_stream(chat, bearer, room=room)
            assert stream.status == status
            assert stream.headers["connection"] == "close"
            assert (await stream.error())["code"] == code
        with_body = await open_stream(chat, headers={"Content-Length": "3"}, behind=b"abc")
        assert with_body.status == 413
        upgrade = await open_stream(chat, headers={"Connection": "Upgrade", "Upgrade": "websocket"})
        assert upgrade.status == 400
        assert chat.parts.publishing.clients.count == 0
