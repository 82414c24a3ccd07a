"""PgBouncer, as Debian has it, before a server of the tests."""

import os
import pwd
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from tests.peers.servers import free_port
from tests.postgres import Postgres

PROGRAM: Final = "/usr/sbin/pgbouncer"
START_S: Final = 30.0
_SETTINGS: Final = """
[databases]
{database} = host={server} port=5432 user=postgres

[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = any
pool_mode = {mode}
default_pool_size = 20
logfile = {directory}/log
"""


@contextmanager
def a_bouncer(postgres: Postgres, database: str, mode: str) -> Iterator[str]:
    """The address of a database behind a PgBouncer in this mode."""
    with tempfile.TemporaryDirectory(prefix="chatd-bouncer-", ignore_cleanup_errors=True) as made:
        port = free_port()
        directory = Path(made)
        settings = directory / "pgbouncer.ini"
        settings.write_text(
            _SETTINGS.format(
                database=database,
                server=postgres.directory,
                port=port,
                mode=mode,
                directory=directory,
            )
        )
        as_user: dict[str, Any] = {}
        if os.geteuid() == 0:  # it refuses to run as root
            owner = pwd.getpwnam("postgres")
            os.chown(directory, owner.pw_uid, owner.pw_gid)
            as_user = {"user": owner.pw_uid, "group": owner.pw_gid, "extra_groups": []}
        process = subprocess.Popen(
            [PROGRAM, str(settings)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd=directory,
            **as_user,
        )
        try:
            _wait_for(port)
            yield f"postgresql://postgres@127.0.0.1:{port}/{database}"
        finally:
            process.terminate()
            process.wait(START_S)


def _wait_for(port: int) -> None:
    until_s = time.monotonic() + START_S
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=START_S).close()
        except ConnectionRefusedError:
            assert time.monotonic() < until_s, "PgBouncer did not start"
            time.sleep(0.02)
        else:
            return
