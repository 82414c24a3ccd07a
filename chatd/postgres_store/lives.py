"""The rows of living nodes: how a life begins, ends, and is seen (schema/005_reaping.sql).

A start does this on a blocking connection; `Life` goes on from there.
"""

import time
from datetime import datetime
from typing import Any, Final

import attrs
import psycopg

from chatd import __version__
from chatd.postgres_client import conninfo_of
from chatd.postgres_store.errors import DatabaseUnfit, Unfit
from chatd.postgres_store.sessions import LogAddress

REAP_S: Final = 60.0
"""Seconds that the end of a life may take: 10,000 members take one."""
LOOK_S: Final = 2.0
"""Seconds between two looks at the other nodes, and two beats; a third of `dead_after_s` if that is
less."""
_LOOK_AGAIN_S: Final = 0.1

BEGIN: Final = """
    WITH begun AS (
        INSERT INTO nodes (name, version, bus) VALUES (%s, %s, %s) RETURNING node_id)
    SELECT node_id, pg_advisory_lock(life_key(node_id)) FROM begun
"""
"""The row is never there without its lock: nobody takes it for a dead node's."""
TAKE_NAME: Final = "SELECT pg_try_advisory_lock(name_key(%s))"
TIMEOUTS: Final = """
    SELECT set_config('idle_session_timeout', %s, false),
           set_config('statement_timeout', %s, false)
"""
SEEN: Final = """
    SELECT n.node_id, n.name, n.version, n.started_at, n.beat, n.sockets, n.bus,
           is_held(life_key(n.node_id))
    FROM nodes n ORDER BY n.name, n.node_id
"""
END: Final = "SELECT members, questions FROM end_life(%s, %s, %s)"
_INHERIT: Final = """
    UPDATE answers a SET node_id = %s WHERE a.state IS NULL AND (
        a.node_id IS NULL OR NOT EXISTS (SELECT FROM nodes n WHERE n.node_id = a.node_id))
"""
"""Open answers that no node has to end, as in a log that was copied."""
HAS_SETTLED: Final = """
    SELECT clock_timestamp() - pg_postmaster_start_time() > make_interval(secs => %s)
"""
"""Whether the server started so long ago that all living nodes have come back to it."""


@attrs.frozen
class NodeSeen:
    """A node as its row and its lock showed it. `beat` is when it was last heard, by the clock of
    the server; `bus` is the address of its bus without credentials."""

    node_id: int
    name: str
    version: str
    started_at: datetime
    beat: datetime
    sockets: int
    bus: str
    is_alive: bool


def connect_for_life(address: LogAddress) -> "psycopg.Connection[Any]":
    """The session that a node lives by: the server ends it if it does not hear from the node for
    long enough. Raises `psycopg.Error`."""
    connection = psycopg.connect(conninfo_of(address.url), autocommit=True, prepare_threshold=None)
    try:
        connection.execute(*address.set_up())
        connection.execute(TIMEOUTS, timeouts_of(address))
    except BaseException:
        connection.close()
        raise
    return connection


def timeouts_of(address: LogAddress) -> tuple[str, str]:
    """How long the server may hear nothing from a node before it gives it up, and how long one
    statement may take."""
    return f"{round(address.dead_after_s * 1000)}ms", f"{REAP_S:g}s"


def nodes_seen(connection: "psycopg.Connection[Any]") -> list[NodeSeen]:
    """All nodes that have a row. Raises `psycopg.Error`."""
    return [NodeSeen(*row) for row in connection.execute(SEEN)]


def begin_life(address: LogAddress, connection: "psycopg.Connection[Any]") -> int:
    """Begin the life of a node on its session, and reap dead nodes; returns the life's number.

    Raises DatabaseUnfit, with nothing changed, if another node has the name, or is alive with
    another bus.
    """
    if address.node:
        _take_name(address, connection)
    for other in nodes_seen(connection):
        if other.is_alive and other.bus and address.bus and other.bus != address.bus:
            raise DatabaseUnfit(
                Unfit.BUS_DIFFERS,
                f"The node {other.name} keeps its log in the schema {address.schema} too, and "
                f"talks to the others over {other.bus}, while this one would over {address.bus}. "
                "Give all nodes of a log the same bus, and each cluster a schema of its own by "
                "[state] schema.",
            )
    parameters = (address.node, __version__, address.bus)
    [(node_id, _)] = connection.execute(BEGIN, parameters)
    [(has_settled,)] = connection.execute(HAS_SETTLED, (address.dead_after_s,))
    is_alone = not address.node
    for other in nodes_seen(connection):
        if other.node_id == node_id:
            continue
        # Nobody else has this name, and a node without one had the log alone.
        is_known = is_alone or other.name in ("", address.node)
        if is_known or (has_settled and not other.is_alive):
            connection.execute(END, (other.node_id, node_id, is_alone))
    connection.execute(_INHERIT, (node_id,))
    return int(node_id)


def _take_name(address: LogAddress, connection: "psycopg.Connection[Any]") -> None:
    """Wait for an older life of this node that the server has not given up yet; a life that is
    still heard is another node's."""
    tries_left = round((address.dead_after_s + LOOK_S) / _LOOK_AGAIN_S)
    first_heard = _last_heard(connection, address.node)
    while connection.execute(TAKE_NAME, (address.node,)).fetchone() != (True,):
        tries_left -= 1
        if not tries_left or _last_heard(connection, address.node) != first_heard:
            raise DatabaseUnfit(
                Unfit.NODE_NAME_IN_USE,
                f"Another node is called {address.node} and keeps its log in the schema "
                f"{address.schema} of this database; give each node a name of its own.",
            )
        time.sleep(_LOOK_AGAIN_S)


def _last_heard(connection: "psycopg.Connection[Any]", name: str) -> object:
    query = "SELECT max(beat) FROM nodes WHERE name = %s"
    return connection.execute(query, (name,)).fetchone()
