"""NOTIFY is never inside a transaction.

There it takes a lock of the whole server until the commit, fsync included, and all commits queue up
behind each other.
"""

import os
import re
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import psycopg
import trio

import chatd
from tests.app.client import Client, token_for
from tests.cluster.conversation import Conversation
from tests.cluster.nodes import SECRET, a_cluster, postgres_socket
from tests.cluster.wire import Wire, an_exchange
from tests.postgres import Postgres
from tests.rows import rows

ROOM = "red"
MESSAGES = 10
NOTIFY = "SELECT pg_notify('chatd', 'x')"


def test_no_function_of_the_schema_notifies() -> None:
    """One that did would be a part of whoever calls it."""
    package = Path(chatd.__file__).parent
    schemas = sorted(package.rglob("*.sql"))
    assert schemas
    for path in schemas:
        assert not re.search(r"\b(pg_)?notify\b", path.read_text(), re.IGNORECASE), path


def in_a_transaction(connection: "psycopg.Connection[Any]") -> None:
    with connection.transaction():
        connection.execute("SELECT 1")
        connection.execute(NOTIFY)


def in_a_pipeline(connection: "psycopg.Connection[Any]") -> None:
    with connection.pipeline():
        connection.execute("SELECT 1")
        connection.execute(NOTIFY)


def beside_another_statement(connection: "psycopg.Connection[Any]") -> None:
    connection.execute(f"CREATE TABLE t (n int); INSERT INTO t VALUES (1); {NOTIFY}")


def alone(connection: "psycopg.Connection[Any]") -> None:
    connection.execute("SELECT 1")
    connection.execute(NOTIFY)
    connection.execute("NOTIFY chatd, 'y'")
    connection.execute("SELECT pg_notify('chatd', %s)", ["z"])


@rows(
    ("says", "is_alone"),
    [
        (in_a_transaction, False),
        (in_a_pipeline, False),
        (beside_another_statement, False),
        (alone, True),
    ],
)
async def test_one_that_is_not_alone_is_found(
    postgres: Postgres, says: Callable[["psycopg.Connection[Any]"], None], is_alone: bool
) -> None:
    conversation, database = Conversation(), postgres.new_database()
    wire = Wire(postgres_socket(postgres), tap=lambda: conversation.hear)
    with TemporaryDirectory(prefix="chatd-wires-") as sockets:
        url = f"postgresql://postgres@/{database}?host={sockets}"

        def ask() -> None:
            with psycopg.connect(url, autocommit=True) as connection:
                says(connection)

        async with an_exchange(Path(sockets) / ".s.PGSQL.5432", {os.getpid(): wire}.get):
            await trio.to_thread.run_sync(ask)
    told = [unit for unit in conversation.units if unit.notifies]
    assert told
    assert all(unit.is_alone for unit in told) is is_alone


async def test_nodes_notify_in_statements_of_their_own(
    tmp_path: Path, nursery: trio.Nursery
) -> None:
    off = {"CHATD_ANSWERS__ENABLED": "false"}
    conversations: list[Conversation] = []

    def tap() -> Callable[..., None]:
        conversations.append(Conversation())
        return conversations[-1].hear

    async with a_cluster(tmp_path, [ROOM], count=2, bus="notify", tap=tap, **off) as cluster:
        [a, b] = cluster.nodes
        writer = await Client.connect(nursery, a.port, token_for(SECRET, "ada", [ROOM]))
        reader = await Client.connect(nursery, b.port, token_for(SECRET, "bob", [ROOM]))
        await reader.caught_up([ROOM])
        for number in range(MESSAGES):
            assert (await writer.say(f"message {number}", ROOM))["ok"]
        await reader.hear("chat:message", content=f"message {MESSAGES - 1}")
        await cluster.end()
    units = [unit for conversation in conversations for unit in conversation.units]
    assert any("commit_batch" in unit.statements[0] for unit in units), "all is heard"
    told = [unit for unit in units if unit.notifies]
    assert told, "nobody notified"
    assert [unit for unit in told if not unit.is_alone] == []
