"""What the server says while nothing is asked; read by libpq alone, however queries wait."""

import trio
from psycopg.pq.abc import PGconn


async def hand_on(pgconn: PGconn) -> None:
    """Wait until the server says something, and hand notifications to the handler of the
    connection. Raises `psycopg.Error`."""
    await trio.lowlevel.wait_readable(pgconn.socket)
    pgconn.consume_input()
    while (one := pgconn.notifies()) is not None:
        assert pgconn.notify_handler is not None
        pgconn.notify_handler(one)
