"""The daemon as systemd runs it: told by notices, with sockets that are handed over."""

import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import closing

import pytest
import trio

from tests.app.client import Client, message, token_for
from tests.app.daemon import CHATD, PAUSE_S, Daemon, House, fetch, fetch_inside
from tests.app.service_manager import NoticeSocket
from tests.app.test_drain import HANGING_DISK
from tests.app.test_inherited import ACTIVATED
from tests.app.test_kill import SECRET

ENV = {"CHATD_AUTH__JWT_SECRET": SECRET, "CHATD_STATE__DURABILITY": "write"}
RESTARTS = 3
WATCHDOG_US = 1_600_000
COMERS = 8  # clients that come again and again meanwhile


@pytest.fixture
async def manager(house: House) -> AsyncIterator[NoticeSocket]:
    async with NoticeSocket(f"@chatd tests {os.getpid()} {house.path.name}") as manager:
        yield manager


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    """The listening socket of a socket unit."""
    with closing(socket.create_server(("127.0.0.1", 0), backlog=4096)) as listener:
        yield listener


async def start_activated(house: House, listener: socket.socket, **how: object) -> Daemon:
    """A daemon that was handed the listener over; its own port is not opened."""
    program = (sys.executable, ACTIVATED, "chatd.socket", str(listener.fileno()), *CHATD, "serve")
    daemon = await house.start(program=program, env=ENV, descriptors=[listener.fileno()], **how)
    assert daemon.port == listener.getsockname()[1]
    return daemon


async def test_ready_is_said_when_clients_can_come_and_the_end_before_it_begins(
    house: House, manager: NoticeSocket
) -> None:
    env = {**ENV, "NOTIFY_SOCKET": manager.address, "CHATD_SERVER__DRAIN_TIMEOUT_S": "77"}
    daemon = await house.begin(env=env)
    assert (await manager.next())["STATUS"] == "Reads the log of messages."
    ready = await manager.hear("READY")
    started = await daemon.event("daemon.started")
    assert ready["STATUS"] == f"Serves on 127.0.0.1:{started['port']}."
    assert (await fetch(started["port"], "/api/websocket/health"))[0] == 200
    daemon.send_signal(signal.SIGTERM)
    stopping = await manager.hear("STOPPING")
    assert stopping["EXTEND_TIMEOUT_USEC"] == "82000000"  # whatever TimeoutStopSec allows
    assert await daemon.ended() == 0


async def test_the_watchdog_is_fed_until_an_actor_hangs_in_the_disk(
    house: House, manager: NoticeSocket, nursery: trio.Nursery
) -> None:
    env = {
        **ENV,
        "NOTIFY_SOCKET": manager.address,
        "WATCHDOG_USEC": str(WATCHDOG_US),
    }
    daemon = await house.start(program=HANGING_DISK, env=env)
    for _ in range(3):
        await manager.hear("WATCHDOG")
    client = await Client.connect(nursery, daemon.port, token_for(SECRET, "alice"))
    await client.hear("chat:history")
    manager.forget()  # what a busy machine may have had it say
    await client.emit("chat:message", message("never to be stored"))
    while ": actor_silent" not in (notice := await manager.next()).get("STATUS", ""):
        pass
    with trio.move_on_after(WATCHDOG_US / 1e6):
        while True:
            notice = await manager.next()
            assert "WATCHDOG" not in notice


async def test_sockets_that_are_handed_over_are_served_and_none_is_opened(
    house: House, listener: socket.socket
) -> None:
    daemon = await start_activated(house, listener)
    host, port = listener.getsockname()
    assert daemon.events("listeners.inherited") == [
        daemon.events("listeners.inherited")[0] | {"addresses": [f"{host}:{port}"]}
    ]
    assert (await fetch(port, "/api/websocket/health"))[0] == 200
    await daemon.stop()


async def test_a_socket_for_everybody_needs_a_real_secret(house: House) -> None:
    with closing(socket.create_server(("0.0.0.0", 0))) as listener:
        program = (sys.executable, ACTIVATED, "x", str(listener.fileno()), *CHATD, "serve")
        done = await house.run(program=program, descriptors=[listener.fileno()])
    assert done.code == 78
    assert "0.0.0.0 chatd is open to others: set auth.supabase.url, " in done.err


async def test_the_internal_socket_may_be_handed_over_too(house: House) -> None:
    path = house.path / "operators"
    with (
        closing(socket.create_server(("127.0.0.1", 0))) as listener,
        closing(socket.socket(socket.AF_UNIX)) as internal,
    ):
        internal.bind(str(path))
        internal.listen()
        given = [listener.fileno(), internal.fileno()]
        listed = ",".join(map(str, given))
        program = (sys.executable, ACTIVATED, "web:internal", listed, *CHATD, "serve")
        daemon = await house.start(program=program, env=ENV, descriptors=given)
        assert daemon.events("daemon.started")[0]["internal"] == str(path)
        assert (await fetch_inside(path, "/livez"))[0] == 200
        await daemon.stop()
    assert path.is_socket()  # it is the service manager's to remove
    assert not (house.state_dir / "internal.sock").exists()


async def test_a_unix_socket_is_served_too(house: House) -> None:
    """As for a proxy on this machine."""
    path = house.path / "public"
    with closing(socket.socket(socket.AF_UNIX)) as listener:
        listener.bind(str(path))
        listener.listen()
        program = (sys.executable, ACTIVATED, "x", str(listener.fileno()), *CHATD, "serve")
        daemon = await house.start(program=program, env=ENV, descriptors=[listener.fileno()])
        assert daemon.events("listeners.inherited")[0]["addresses"] == [str(path)]
        status, _, body = await fetch_inside(path, "/api/websocket/health")
        assert (status, b'"ok"' in body) == (200, True)
        await daemon.stop()
    assert path.is_socket()


async def test_a_restart_under_load_refuses_no_connection(
    house: House, listener: socket.socket, nursery: trio.Nursery
) -> None:
    """Whoever comes between two processes waits for the second one."""
    port = listener.getsockname()[1]
    outcomes: list[str] = []

    async def come_again_and_again() -> None:
        while True:
            try:
                stream = await trio.open_tcp_stream("127.0.0.1", port)
            except OSError as error:
                outcomes.append(f"refused: {error}")
                continue
            async with stream:
                try:
                    await stream.send_all(
                        b"GET /api/websocket/health HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
                    )
                    answer = await stream.receive_some()
                except trio.BrokenResourceError:
                    answer = b""
            outcomes.append("answered" if b" 200 " in answer else "cut")

    daemon = await start_activated(house, listener)
    with trio.CancelScope() as coming:
        for _ in range(COMERS):
            nursery.start_soon(come_again_and_again)
        for _ in range(RESTARTS):
            came = outcomes.count("answered")
            while outcomes.count("answered") < came + 50:  # noqa: ASYNC110 - many tasks append
                await trio.sleep(PAUSE_S)
            await daemon.stop()
            daemon = await start_activated(house, listener)
        coming.cancel()
    nursery.cancel_scope.cancel()
    assert not [one for one in outcomes if one.startswith("refused")]
    assert outcomes.count("cut") <= COMERS * RESTARTS  # what it was at when it ended


IDLE = "5 x chatd.engine.listener.Listener._connection: chatd."
"""Five connections that wait for their peers."""


async def tasks_of(daemon: Daemon) -> list[str]:
    """What the daemon writes of its tasks now."""
    count = len(daemon.events("tasks.shown"))
    daemon.send_signal(signal.SIGUSR1)
    shown = await daemon.events_of("tasks.shown", count + 1)
    return str(shown[-1]["tree"]).split("\n")


async def test_the_tasks_are_written_without_a_word_of_what_they_work_on(
    house: House, nursery: trio.Nursery
) -> None:
    daemon = await house.start(env=ENV)
    token = token_for(SECRET, "alice")
    for _ in range(5):
        client = await Client.connect(nursery, daemon.port, token)
        await client.hear("chat:history")
    await client.ask("chat:message", message("a word of content"))
    tree = await tasks_of(daemon)
    while not any(line.strip().startswith(IDLE) for line in tree):  # one may be on its way there
        tree = await tasks_of(daemon)
    assert tree[0].startswith("chatd.app.daemon.serve: ")
    names = [line.strip().split(":")[0] for line in tree]
    assert {"log", "messages", "writer", "presence", "typing", "upkeep", "garbage"} < {
        name.rpartition(" ")[2] for name in names
    }
    assert all("line " in line for line in tree)
    for secret in ("alice", "a word of content", token, SECRET, str(house.path)):
        assert secret not in "\n".join(tree)
    await daemon.stop()
