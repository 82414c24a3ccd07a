"""The bus over Redis: who comes in and how, and what answers in a Redis's place."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio

from chatd.bus import redis_connection
from chatd.bus.link import BusLost
from chatd.bus.redis_address import RedisAddress
from chatd.bus.redis_bus import RedisBus
from chatd.bus.redis_connection import RedisConnection
from tests.bus.listeners import LIMIT_S, Notes
from tests.peers.servers import free_port
from tests.redis import Redis, a_redis
from tests.rows import rows

ROOM = "r:sales"
PASSWORD = "p@ss w/o:rd#%"
QUOTED = "p%40ss%20w%2Fo%3Ard%23%25"
RIGHTS = ("+ping", "+select", "+publish", "+subscribe", "+unsubscribe", "resetchannels")


@asynccontextmanager
async def begun(url: str) -> AsyncIterator[tuple[RedisBus, Notes]]:
    notes = Notes()
    bus = RedisBus(RedisAddress.read(url), "chatd", notes.tell)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(bus.run, notes)
        yield bus, notes
        nursery.cancel_scope.cancel()


async def comes_in(url: str) -> None:
    async with begun(url) as (bus, notes):
        await notes.is_up()
        assert await bus.subscribe(ROOM)
        assert bus.publish(ROOM, b"in")
        await notes.hears(ROOM, b"in")
        assert notes.told == [None]


async def why_refused(url: str) -> str:
    async with begun(url) as (bus, notes):
        await notes.until(lambda: bool(notes.told))
        (told,) = notes.told
        assert told == bus.why_down
        assert told is not None
        assert QUOTED not in told
        assert PASSWORD not in told
        return told


async def test_a_user_of_the_access_lists_needs_no_more_rights_than_are_told(redis: Redis) -> None:
    redis.tell("ACL", "SETUSER", "node", "on", f">{PASSWORD}", *RIGHTS, "&chatd:*")
    redis.tell("ACL", "SETUSER", "default", "off")
    for database in ("", "?db=3"):
        await comes_in(redis.url(f"node:{QUOTED}@", database))
    assert "wants a password" in await why_refused(redis.url())
    assert "does not take this user" in await why_refused(redis.url("node:wrong@"))
    assert "(ERR)" in await why_refused(redis.url(f"node:{QUOTED}@", "?db=99"))


async def test_a_password_without_a_user_is_that_of_everybody() -> None:
    with a_redis("--requirepass", PASSWORD) as redis:
        await comes_in(redis.url(f":{QUOTED}@"))
        assert "wants a password" in await why_refused(redis.url())
        assert "does not take" in await why_refused(redis.url(":wrong@"))


@pytest.mark.parametrize("right", ["+publish", "+subscribe", "+ping"])
async def test_a_right_that_is_missing_is_told_before_the_bus_is_up(
    redis: Redis, right: str
) -> None:
    rights = [one for one in RIGHTS if one != right]
    redis.tell("ACL", "SETUSER", "node", "on", f">{PASSWORD}", *rights, "&chatd:*")
    assert "ACL SETUSER" in await why_refused(redis.url(f"node:{QUOTED}@"))


async def test_channels_of_others_are_told(redis: Redis) -> None:
    redis.tell("ACL", "SETUSER", "node", "on", f">{PASSWORD}", *RIGHTS, "&other:*")
    assert "&chatd:*" in await why_refused(redis.url(f"node:{QUOTED}@"))


async def test_a_right_that_is_taken_away_takes_the_bus_down_and_is_told(redis: Redis) -> None:
    redis.tell("ACL", "SETUSER", "node", "on", f">{PASSWORD}", *RIGHTS, "&chatd:*")
    async with begun(redis.url(f"node:{QUOTED}@")) as (bus, notes):
        await notes.is_up()
        redis.tell("ACL", "SETUSER", "node", "-publish")
        bus.publish(ROOM, b"lost")
        await notes.until(lambda: any(notes.told))
        assert "ACL SETUSER" in str(notes.told[-1])
        redis.tell("ACL", "SETUSER", "node", "+publish")
        await notes.is_up(2)


async def test_tls_is_spoken_with_a_server_whose_certificate_is_trusted(tmp_path: Path) -> None:
    key, certificate = tmp_path / "key.pem", tmp_path / "cert.pem"
    await trio.run_process(
        [
            *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"),
            *("-nodes", "-days", "2", "-subj", "/CN=localhost"),
            *("-addext", "subjectAltName=DNS:localhost", "-keyout", key, "-out", certificate),
        ],
        capture_stderr=True,
    )
    port = free_port()
    with a_redis(
        *("--bind", "127.0.0.1", "--tls-port", str(port), "--tls-auth-clients", "no"),
        *("--tls-cert-file", str(certificate), "--tls-key-file", str(key)),
        *("--tls-ca-cert-file", str(certificate)),
    ):
        trusting = f"?ssl_ca_certs={certificate}"
        await comes_in(f"rediss://localhost:{port}{trusting}")
        assert "not trusted" in await why_refused(f"rediss://localhost:{port}")
        assert "not trusted" in await why_refused(f"rediss://127.0.0.1:{port}{trusting}")
        assert "cannot be reached" in await why_refused(
            f"rediss://localhost:{port}?ssl_ca_certs={tmp_path / 'none.pem'}"
        )
        assert "closed" in await why_refused(f"redis://localhost:{port}")
    assert "cannot be reached" in await why_refused(f"redis://127.0.0.1:{port}")


async def test_a_redis_that_does_not_speak_tls_is_told(
    redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(redis_connection, "CONNECT_S", 0.3)
    redis.tell("CONFIG", "SET", "bind", "127.0.0.1")
    port = free_port()
    redis.tell("CONFIG", "SET", "port", str(port))
    assert "TLS" in await why_refused(f"rediss://127.0.0.1:{port}")


Serve = Callable[[trio.SocketStream], Awaitable[None]]


async def replaced_by(serve: Serve) -> str:
    """What is told where this serves in a Redis's place."""
    async with trio.open_nursery() as nursery:
        listeners = await nursery.start(trio.serve_tcp, serve, 0)
        port = listeners[0].socket.getsockname()[1]
        told = await why_refused(f"redis://127.0.0.1:{port}")
        nursery.cancel_scope.cancel()
    return told


@rows(
    ("answers", "told"),
    [
        ([b"HTTP/1.1 400 Bad Request\r\n\r\n"], "is not Redis"),
        ([], "closed"),
        ([b"+PONG\r\n"], "closed"),
        ([b"+PONG\r\n", b"*3\r\n$7\r\nmessage\r\n$1\r\nx\r\n"], "closed"),
        (
            [b"+PONG\r\n", b"*3\r\n$9\r\nsubscribe\r\n$1\r\nx\r\n:1\r\n"],
            "something that was not asked",
        ),
        ([b"+PONG\r\n", b"+OK\r\n"], "something that was not asked"),
        ([b"+PONG\r\n", b":1\r\n:2\r\n"], "something that was not asked"),
        ([b"+PONG\r\n", b"*2147483647\r\n"], "is not Redis"),
        ([b"-LOADING wait\r\n"], "reading its data"),
        ([b"-ERR unknown command `AUTH`, with args beginning with: `hunter2`\r\n"], "(ERR)"),
        ([b"-\xff\xfe hunter2\r\n"], "answers a command with an error."),
        ([b"-hunter2\r\n"], "answers a command with an error."),
    ],
)
async def test_what_is_no_redis_takes_nothing_down_and_is_told(
    answers: list[bytes], told: str
) -> None:
    async def serve(stream: trio.SocketStream) -> None:
        for answer in answers:
            await stream.receive_some()
            await stream.send_all(answer)
        await stream.receive_some()

    sentence = await replaced_by(serve)
    assert told in sentence
    assert "hunter2" not in sentence


async def test_a_redis_that_is_flooding_is_given_up() -> None:
    async def serve(stream: trio.SocketStream) -> None:
        await stream.receive_some()
        await stream.send_all(b"+PONG\r\n$999999999\r\n")
        try:
            while True:
                await stream.send_all(b"x" * 65_536)
        except trio.BrokenResourceError:
            pass

    assert "too long" in await replaced_by(serve)


async def test_two_servers_behind_one_address_are_told(
    redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What one of them publishes is not heard at the other."""
    monkeypatch.setattr("chatd.bus.server_bus.CONNECT_S", 0.3)
    servers = [redis.socket]
    with a_redis() as other:
        servers.append(other.socket)

        async def serve(stream: trio.SocketStream) -> None:
            servers.reverse()
            behind = await trio.open_unix_socket(str(servers[0]))
            async with behind, trio.open_nursery() as nursery:

                async def pass_on(one: trio.SocketStream, to: trio.SocketStream) -> None:
                    try:
                        async for data in one:
                            await to.send_all(data)
                    except (trio.BrokenResourceError, trio.ClosedResourceError):
                        pass
                    nursery.cancel_scope.cancel()

                nursery.start_soon(pass_on, stream, behind)
                nursery.start_soon(pass_on, behind, stream)

        assert "must lead to one server" in await replaced_by(serve)


async def test_a_connection_takes_no_more_than_its_bound(
    redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(redis_connection, "OUT_BYTES_MAX", 1000)
    connection = await RedisConnection.open(RedisAddress.read(redis.url()))
    taken = 0
    while connection.send(b"PUBLISH", b"x", b"y" * 100):
        taken += 1
    assert 0 < taken < 11
    connection.give_up("enough")
    with pytest.raises(BusLost, match="enough"):
        await connection.run(lambda _reply: None)
    await connection.close()


async def test_topics_that_are_asked_for_beyond_the_bound_are_heard_after_a_new_connection(
    redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with begun(redis.url()) as (bus, notes):
        await notes.is_up()
        monkeypatch.setattr(redis_connection, "OUT_BYTES_MAX", 0)
        with trio.fail_after(LIMIT_S):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(bus.subscribe, ROOM)
                await notes.until(lambda: not bus.is_up)
        monkeypatch.undo()
        await notes.is_up(2)
        assert bus.publish(ROOM, b"heard")
        await notes.hears(ROOM, b"heard")


async def test_more_topics_than_one_command_takes_are_heard_when_it_begins(redis: Redis) -> None:
    notes = Notes()
    bus = RedisBus(RedisAddress.read(redis.url()), "chatd")
    topics = [f"r:{number}" for number in range(1201)]
    for topic in topics:
        assert not await bus.subscribe(topic)
    bus.unsubscribe(topics[7])
    async with trio.open_nursery() as nursery:
        nursery.start_soon(bus.run, notes)
        await notes.is_up()
        for topic in topics:
            assert bus.publish(topic, b"x")
        await notes.hears(topics[-1], b"x")
        nursery.cancel_scope.cancel()
    assert sorted(topic for topic, _ in notes.heard_all) == sorted({*topics} - {topics[7]})
