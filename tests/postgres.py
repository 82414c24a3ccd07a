"""A PostgreSQL server of the tests' own, started once for all tests that ask for it.

Its cluster is in a temporary directory, and it listens on a socket there and nowhere else. The
server refuses to run as root, so that there it runs as the user that Debian's package has made.
Nobody has a password: who gets to the socket is in, as whichever role.
"""

import itertools
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import attrs
import psycopg
import pytest

from tests.processes import children_of, where_it_is_there

SETTINGS: Final = {
    "fsync": "off",  # what a crash of the machine does is not asked here
    "listen_addresses": "",
    "shared_buffers": "16MB",
    "max_connections": "50",
}
READY: Final = (
    "database system is ready to accept connections",
    "database system is ready to accept read-only connections",  # one that follows another one
)
PORT: Final = "5432"  # in the name of the socket, where a server takes no other connections
STOP_S: Final = 30.0


@attrs.define(eq=False)
class Postgres:
    """A server that runs; `directory` has its socket."""

    directory: Path
    _settings: Mapping[str, str]
    _as_user: Mapping[str, Any]
    _process: "subprocess.Popen[str] | None" = None
    _numbers: Iterator[int] = attrs.field(factory=itertools.count)

    @property
    def _port(self) -> str:
        return self._settings.get("port", PORT)

    def new_database(self) -> str:
        """Make an empty database, and return its name."""
        name = f"test_{next(self._numbers)}"
        with self.connect("postgres") as connection:
            connection.execute(f'CREATE DATABASE "{name}"')
        return name

    def connect(
        self, database: str, user: str = "postgres", options: str = ""
    ) -> "psycopg.Connection[Any]":
        """A connection, whose statements are committed one by one."""
        return psycopg.connect(
            host=str(self.directory),
            port=self._port,
            dbname=database,
            user=user,
            options=options,
            autocommit=True,
        )

    def url(self, database: str, user: str, scheme: str = "postgresql") -> str:
        """The address of a database, as SQLAlchemy and libpq read it."""
        return f"{scheme}://{user}@/{database}?host={self.directory}&port={self._port}"

    def put(self, name: str, text: bytes) -> None:
        """Put a file among those of the cluster, which is for the server alone."""
        cluster = self.directory / "cluster"
        path = cluster / name
        path.write_bytes(text)
        path.chmod(0o600)
        os.chown(path, cluster.stat().st_uid, cluster.stat().st_gid)

    def stop(self) -> None:
        """End the server, and all who are connected with it."""
        self._end(signal.SIGINT)

    def crash(self) -> None:
        """End the server as a crash does: nobody who is connected is told anything sensible."""
        self._end(signal.SIGQUIT)

    def _end(self, how: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(how)
            self._process.wait(STOP_S)
            self._process = None

    def lag(self) -> None:
        """Have one that follows another one hear of nothing any more."""
        with self.connect("postgres") as connection:
            connection.execute("ALTER SYSTEM SET primary_conninfo = ''")
            connection.execute("SELECT pg_reload_conf()")
            until_s = time.monotonic() + STOP_S
            while connection.execute("SELECT FROM pg_stat_wal_receiver").fetchall():
                assert time.monotonic() < until_s, "it goes on hearing"
                time.sleep(0.01)

    def promote(self) -> None:
        """Have one that follows another one follow nobody, and take what is written."""
        with self.connect("postgres") as connection:
            assert connection.execute("SELECT pg_promote()").fetchone() == (True,)

    def freeze(self) -> None:
        """Have nobody answered, neither those who are connected nor those who come."""
        self._signal_all(signal.SIGSTOP)
        self._signal_all(signal.SIGSTOP)  # and whom the server had started before it stopped

    def thaw(self) -> None:
        """Go on after `freeze`."""
        self._signal_all(signal.SIGCONT)

    def _signal_all(self, number: signal.Signals) -> None:
        assert self._process is not None
        parent = self._process.pid
        for pid in (parent, *children_of(parent)):
            with where_it_is_there():
                os.kill(pid, number)

    def start(self) -> None:
        """Start the server on its cluster, and return when it takes connections."""
        words = [
            word for name, value in self._settings.items() for word in ("-c", f"{name}={value}")
        ]
        process = subprocess.Popen(
            [
                *(program("postgres"), "-D", str(self.directory / "cluster")),
                *("-k", str(self.directory), *words),
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            cwd=self.directory,
            **self._as_user,
        )
        assert process.stderr is not None
        said = []
        for line in process.stderr:
            said.append(line)
            if any(ready in line for ready in READY):
                # Nobody reads on; the server goes on where nobody does.
                process.stderr.close()
                self._process = process
                return
        process.wait(STOP_S)
        raise AssertionError(f"PostgreSQL did not start:\n{''.join(said)}")


@contextmanager
def a_server(**settings: str) -> Iterator[Postgres]:
    """A server of one's own, with these settings beside the usual ones; it starts in a second."""
    # Not in a directory of pytest's, which are closed to other users.
    with tempfile.TemporaryDirectory(prefix="chatd-pg-", ignore_cleanup_errors=True) as made:
        server = _made(Path(made), {**SETTINGS, **settings})
        server.start()
        try:
            yield server
        finally:
            server.stop()


@contextmanager
def a_standby(primary: Postgres) -> Iterator[Postgres]:
    """A server that follows another one, with all that is there by now."""
    with tempfile.TemporaryDirectory(prefix="chatd-pg-", ignore_cleanup_errors=True) as made:
        directory = Path(made)
        _give(directory, primary._as_user)
        subprocess.run(
            [
                *(program("pg_basebackup"), "--pgdata", str(directory / "cluster")),
                *("--write-recovery-conf", "--checkpoint", "fast", "--no-sync"),
                *("--host", str(primary.directory), "--port", primary._port),
                *("--username", "postgres"),
            ],
            check=True,
            capture_output=True,
            cwd=directory,
            **primary._as_user,
        )
        server = Postgres(directory, primary._settings, primary._as_user)
        server.start()
        try:
            yield server
        finally:
            server.stop()


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """The server; the first test that asks for it waits three seconds."""
    with a_server() as server:
        yield server


def _made(directory: Path, settings: Mapping[str, str]) -> Postgres:
    cluster = directory / "cluster"
    as_user: dict[str, Any] = {}
    if os.geteuid() == 0:
        owner = pwd.getpwnam("postgres")
        as_user = {"user": owner.pw_uid, "group": owner.pw_gid, "extra_groups": []}
    _give(directory, as_user)
    subprocess.run(
        [
            *(program("initdb"), "--pgdata", str(cluster), "--username", "postgres"),
            *("--auth", "trust", "--encoding", "UTF8", "--locale", "C.UTF-8"),
            *("--no-sync", "--no-instructions"),
        ],
        check=True,
        capture_output=True,
        cwd=directory,
        **as_user,
    )
    return Postgres(directory, settings, as_user)


def _give(directory: Path, as_user: Mapping[str, Any]) -> None:
    """Have the server own the directory, and others see its socket there."""
    if as_user:
        os.chown(directory, as_user["user"], as_user["group"])
        directory.chmod(0o755)


def program(name: str) -> str:
    """A program of the newest version that Debian has installed, or else one of the PATH."""
    found = sorted(
        Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), key=lambda path: int(path.parts[4])
    )
    program = str(found[-1]) if found else shutil.which(name)
    assert program is not None, f"{name} of PostgreSQL is not there"
    return program
