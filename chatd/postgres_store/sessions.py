"""Sessions with the database of the log: how they are set up, and what they are asked.

Settings are made once per session, which is why a pooler in transaction mode does not work.
"""

from typing import Any, Final

import attrs
import psycopg
import trio

from chatd.postgres_client import TrioConnection, conninfo_of

STATEMENT_S: Final = 5
"""Seconds that a writing statement may take: if a lock is held, or the server makes no progress,
the statement ends and is tried again."""
ANSWER_S: Final = STATEMENT_S + 1.0
"""Seconds that the server has for an answer: it ends the statement itself sooner."""
IDLE_IN_TRANSACTION_S: Final = 2
"""Seconds that a transaction may wait for its node: only migrations have any."""
LOCK_CLASS: Final = 0x63686474  # "chdt": for advisory locks, which all programs of a database share

_SET_UP: Final = """
    SELECT set_config(name, value, false)
    FROM unnest(%(names)s::text[], %(values)s::text[]) AS s(name, value)
"""


@attrs.frozen
class LogAddress:
    """Where the log is: the address of the database, which holds a password, and the schema.
    `is_synced`: what is committed survives a power cut of the server. `node` is the name of a node
    that shares the log with others, empty if it has the log alone; `bus` is where it tells them
    what it wrote, without credentials. A node from which the server hears nothing for
    `dead_after_s` is dead."""

    url: str = attrs.field(repr=False)
    schema: str
    is_synced: bool = True
    node: str = ""
    bus: str = ""
    dead_after_s: float = 10.0

    def settings(self, statement_s: float = STATEMENT_S) -> dict[str, str]:
        """The settings of a session."""
        return {
            "search_path": f'"{self.schema}", pg_temp',
            "synchronous_commit": "on" if self.is_synced else "off",
            "statement_timeout": f"{round(statement_s * 1000)}ms",
            "idle_in_transaction_session_timeout": f"{IDLE_IN_TRANSACTION_S}s",
            # A node that went away without a word leaves its locks within a minute.
            "tcp_keepalives_idle": "30",
            "tcp_keepalives_interval": "10",
            "tcp_keepalives_count": "3",
        }

    def set_up(self, statement_s: float = STATEMENT_S) -> tuple[str, dict[str, list[str]]]:
        """The statement that makes these settings, and its parameters."""
        settings = self.settings(statement_s)
        return _SET_UP, {"names": list(settings), "values": list(settings.values())}


def connect(address: LogAddress, statement_s: float = STATEMENT_S) -> "psycopg.Connection[Any]":
    """A blocking connection, set up, for the start and for commands. Raises `psycopg.Error`."""
    connection = psycopg.connect(conninfo_of(address.url), autocommit=True, prepare_threshold=None)
    try:
        connection.execute(*address.set_up(statement_s))
    except BaseException:
        connection.close()
        raise
    return connection


async def connect_on_trio(address: LogAddress, threads: trio.CapacityLimiter) -> TrioConnection:
    """A connection that waits in Trio, set up. Raises `psycopg.Error`, also if the server lets it
    in and then says nothing."""
    connection = await TrioConnection.open(address.url, threads)
    try:
        with trio.fail_after(ANSWER_S):
            await connection.execute(*address.set_up())
    except trio.TooSlowError:
        connection.drop()
        raise psycopg.OperationalError(f"no answer within {ANSWER_S:g} s") from None
    except BaseException:
        connection.drop()
        raise
    return connection
