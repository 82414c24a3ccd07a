"""Several daemons as processes, over one PostgreSQL and one bus, behind nginx as documented.

All nodes have one address of each server, as they have to, and there each node has a wire of its
own. Nothing here reaches into a node, and each process is ended by its pid.
"""

import json
import re
import signal
import sqlite3
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from string import ascii_lowercase
from tempfile import TemporaryDirectory
from typing import Any, Final, Literal, TypeAlias

import attrs
import trio

from tests.app.daemon import NO_LIMITS, PAUSE_S, START_S, Daemon, House, fetch_inside
from tests.cluster.wire import Listener, Wire, an_exchange
from tests.peers.proxies import Nginx
from tests.peers.servers import free_ports
from tests.peers.test_cluster import NGINX, without_tls
from tests.postgres import Postgres, a_server
from tests.redis import Redis, a_redis

Bus: TypeAlias = Literal["redis", "notify", "none"]

SECRET: Final = "a secret for the tests, of more than 32 bytes"
NODE_KEY: Final = "CHATD_CLUSTER__NODE"
CONNECTIONS_PER_NODE: Final = 20
"""Of PostgreSQL's; what a node that was killed leaves behind counts for a while."""
DATABASE_ROWS: Final = 20
LAST_CHARS: Final = 4000
"""What a test that fails tells of the log of each life of a node."""
HISTORY_ON_JOIN: Final = 5
"""Few, so that what is owed comes as a replay and shows one by one."""


@attrs.define(eq=False)
class Node:
    """A daemon that is started again and again at the same port."""

    name: str
    port: int
    wires: Sequence[Wire]
    """To PostgreSQL, and to Redis where there is one."""
    _house: House
    _environment: Mapping[str, str]
    _daemons: list[Daemon] = attrs.field(factory=list)

    @property
    def daemon(self) -> Daemon:
        return self._daemons[-1]

    @property
    def is_running(self) -> bool:
        return bool(self._daemons) and self.daemon.process.returncode is None

    async def start(self) -> None:
        """Start it, and return when it says that it is ready."""
        arguments = ("--port", str(self.port), "--log-format", "json")
        self._daemons.append(await self._house.start(*arguments, env=self._environment))
        await self.ready()

    async def ready(self) -> None:
        """Return when `/readyz` answers 200."""
        with trio.fail_after(START_S):
            while (await self.readiness())[0] != 200:
                self.runs()
                await trio.sleep(PAUSE_S)

    async def kept_running(self) -> None:
        """Start it again whenever it ends, as its unit has systemd do, until cancelled."""
        while True:
            await self.daemon.process.wait()
            await self.start()

    async def back(self) -> None:
        """Return when it is ready; meanwhile it may end, where it is kept running. Fail with its
        last words, if it is not."""
        with trio.move_on_after(2 * START_S):
            while True:
                with suppress(OSError):
                    if self.is_running and (await self.readiness())[0] == 200:
                        return
                await trio.sleep(PAUSE_S)
        raise AssertionError(f"node {self.name} is not back:\n{self.last_words()}")

    def runs(self) -> None:
        """Fail with its last words, if it has ended."""
        assert self.is_running, f"node {self.name} ended:\n{self.last_words()}"

    def last_words(self) -> str:
        """The end of its log, of the life before too: for messages of tests that fail."""
        return "\n".join(daemon.err.text[-LAST_CHARS:] for daemon in self._daemons[-2:])

    async def readiness(self) -> tuple[int, Any]:
        """The status and the body of `/readyz`."""
        status, _, body = await fetch_inside(self._house.state_dir / "internal.sock", "/readyz")
        return status, json.loads(body)

    async def kill(self) -> None:
        """SIGKILL, also of one that is stopped."""
        await self.daemon.kill()

    async def stop(self) -> None:
        """SIGTERM, and a clean end."""
        await self.daemon.stop()

    def pause(self) -> None:
        """SIGSTOP."""
        self.daemon.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """SIGCONT."""
        self.daemon.send_signal(signal.SIGCONT)

    def events(self, *levels: str) -> list[dict[str, Any]]:
        """Lines of its log, over all of its lives, of these levels."""
        return [
            line for daemon in self._daemons for line in daemon.events() if line["level"] in levels
        ]


@attrs.define(eq=False)
class Cluster:
    """The nodes, and what is around them."""

    nodes: list[Node]
    postgres: Postgres
    database: str
    redis: Redis | None
    proxy_port: int
    proxy_url: str

    def node_of(self, sid: str) -> str:
        """The name of the node that has a session."""
        return sid.partition(".")[0]

    async def end(self) -> None:
        """Stop all nodes in order; each ends well."""
        async with trio.open_nursery() as nursery:
            for node in self.nodes:
                if node.is_running:
                    nursery.start_soon(node.stop)


@asynccontextmanager
async def a_cluster(
    path: Path,
    rooms: Sequence[str],
    count: int = 3,
    bus: Bus = "redis",
    tap: Callable[[], Listener] | None = None,
    **environment: str,
) -> AsyncIterator[Cluster]:
    """So many nodes that are ready; the first room has a database that answers. `tap` hears what
    they say to PostgreSQL."""
    async with AsyncExitStack() as stack:
        settings = {"fsync": "on", "max_connections": str(30 + CONNECTIONS_PER_NODE * count)}
        postgres = stack.enter_context(a_server(**settings))
        redis = stack.enter_context(a_redis()) if bus == "redis" else None
        nursery = await stack.enter_async_context(trio.open_nursery())
        stack.callback(nursery.cancel_scope.cancel)
        database = postgres.new_database()
        # Not in a directory of pytest's, whose path is too long for a socket.
        sockets = Path(stack.enter_context(TemporaryDirectory(prefix="chatd-wires-")))
        state_url = f"postgresql://postgres@/{database}?host={sockets}"
        bus_url = {"redis": f"unix://{sockets}/redis", "notify": state_url, "none": ""}[bus]
        given = {
            **NO_LIMITS,
            "CHATD_AUTH__JWT_SECRET": SECRET,
            "CHATD_STATE__URL": state_url,
            "CHATD_BUS__URL": bus_url,
            "CHATD_MESSAGES__HISTORY_ON_JOIN": str(HISTORY_ON_JOIN),
            **environment,
        }
        configuration = configured(path, rooms)
        nodes: dict[str, Node] = {}
        ports = free_ports(count)
        for name in ascii_lowercase[:count]:
            home = path / name
            home.mkdir()
            house = House(home, nursery)
            house.config(configuration)
            stack.push_async_callback(house.tear_down)
            wires = [Wire(postgres_socket(postgres), tap=tap)]
            if redis is not None:
                wires.append(Wire(redis.socket))
            named = {**given, NODE_KEY: name}
            nodes[name] = Node(name, ports.pop(), wires, house, named)

        def comes(wire: int) -> Callable[[int], Wire | None]:
            def wire_of(process_id: int) -> Wire | None:
                node = nodes.get(named_in(process_id))
                return None if node is None else node.wires[wire]

            return wire_of

        place = sockets / ".s.PGSQL.5432"
        await stack.enter_async_context(an_exchange(place, comes(0)))
        if redis is not None:
            await stack.enter_async_context(an_exchange(sockets / "redis", comes(1)))
        first, *others = nodes.values()
        await first.start()  # alone, as it makes the schema
        async with trio.open_nursery() as starting:
            for node in others:
                starting.start_soon(node.start)
        places = {node.name: f"127.0.0.1:{node.port}" for node in nodes.values()}
        proxy = Nginx("", path, without_tls(routed(NGINX, places)))
        stack.callback(proxy.stop)
        yield Cluster([first, *others], postgres, database, redis, proxy.port, proxy.url)


def named_in(process_id: int) -> str:
    """Which node a process is, by its environment; empty if it is not one."""
    with suppress(OSError):
        environment = Path(f"/proc/{process_id}/environ").read_text().split("\0")
        for line in environment:
            if line.startswith(f"{NODE_KEY}="):
                return line.partition("=")[2]
    return ""


def postgres_socket(server: Postgres) -> Path:
    return server.directory / ".s.PGSQL.5432"


def configured(path: Path, rooms: Sequence[str]) -> str:
    """The file of each node: the proxy is trusted, and a small database answers in a room."""
    shop = path / "shop.db"
    with sqlite3.connect(shop) as connection:
        connection.execute("CREATE TABLE shop (n INTEGER)")
        connection.executemany("INSERT INTO shop VALUES (?)", [(n,) for n in range(DATABASE_ROWS)])
    connection.close()
    answering = f"[databases.{rooms[0]}]\nsqlite = '{shop}'\nread_only = true\n"
    return f'[server]\ntrusted_proxies = ["127.0.0.1"]\n{answering}'


def routed(block: str, places: Mapping[str, str]) -> str:
    """The documented block, which is for three nodes, for those at these places."""
    lines = []
    for line in block.splitlines(True):
        if "10.0.0.1:8765" in line or re.search(r"\bchatd_a\b", line):
            for name, place in places.items():
                named = line.replace("10.0.0.1:8765", place).replace("~^a", f"~^{name}")
                lines.append(re.sub(r"\bchatd_a\b", f"chatd_{name}", named))
        elif "10.0.0." not in line and not re.search(r"\bchatd_[b-z]\b", line):
            lines.append(line)
    return "".join(lines)
